//! The kinds of WhatsApp media and their HKDF info strings (spec 21 §2).

/// What a file is sent as. It follows from the **type of message** that carries it, never from its
/// MIME type: an audio file sent as a document is a [`Document`](Self::Document).
///
/// A wrong kind gives wrong keys, so the file is [`Rejected`](crate::Error::Rejected).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum MediaKind<'a> {
    /// A picture; also preview cards and business cover photos.
    Image,
    /// A sticker: the keys of an image.
    Sticker,
    /// A video, a video with the GIF flag, a round video note.
    Video,
    /// A sound file.
    Audio,
    /// A voice message (`ptt`): the keys of audio.
    Voice,
    /// A document of any type.
    Document,
    /// The high-quality thumbnail of a link preview.
    LinkThumbnail,
    /// A history synchronisation blob.
    History,
    /// An app-state snapshot or external patch.
    AppState,
    /// The archive of a sticker pack.
    StickerPack,
    /// The thumbnail of a sticker pack.
    StickerPackThumbnail,
    /// The separate thumbnail of an image.
    ImageThumbnail,
    /// The separate thumbnail of a video.
    VideoThumbnail,
    /// The separate thumbnail of a document.
    DocumentThumbnail,
    /// The background image of a payment.
    PaymentBackground,
    /// Shared group history.
    GroupHistory,
    /// A preview that comes from another product.
    MessengerPreview,
    /// Any other info string: ASCII, without terminator.
    Custom(&'a str),
}

impl<'a> MediaKind<'a> {
    /// The HKDF info string.
    #[must_use]
    pub const fn info(self) -> &'a str {
        match self {
            Self::Image | Self::Sticker => "WhatsApp Image Keys",
            Self::Video => "WhatsApp Video Keys",
            Self::Audio | Self::Voice => "WhatsApp Audio Keys",
            Self::Document => "WhatsApp Document Keys",
            Self::LinkThumbnail => "WhatsApp Link Thumbnail Keys",
            Self::History => "WhatsApp History Keys",
            Self::AppState => "WhatsApp App State Keys",
            Self::StickerPack => "WhatsApp Sticker Pack Keys",
            Self::StickerPackThumbnail => "WhatsApp Sticker Pack Thumbnail Keys",
            Self::ImageThumbnail => "WhatsApp Image Thumbnail Keys",
            Self::VideoThumbnail => "WhatsApp Video Thumbnail Keys",
            Self::DocumentThumbnail => "WhatsApp Document Thumbnail Keys",
            Self::PaymentBackground => "WhatsApp Payment Background Keys",
            Self::GroupHistory => "Group History",
            Self::MessengerPreview => "Messenger Preview Keys",
            Self::Custom(info) => info,
        }
    }
}
