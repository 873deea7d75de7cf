//! The token by which a server can check that a reported message is the one that was sent (spec 20 §7).

use super::secret::{MessageSecret, UseCase};
use crate::crypto::kdf;
use crate::jid::Jid;

/// The version of the token, which stands beside it.
pub const REPORT_TOKEN_VERSION: u32 = 2;

/// `HMAC(key, content)[0..16]`, where the key is that of [`UseCase::ReportToken`] for one's own account and the chat.
///
/// `content` is the message reduced to the fields that the server knows, which is the application's to do: each level
/// in ascending order of field numbers, the fields' bytes as they are, lengths anew.
#[must_use]
pub fn report_token(
    secret: &MessageSecret,
    message_id: &str,
    own: &Jid,
    remote: &Jid,
    content: &[u8],
) -> [u8; 16] {
    let key = secret.derive(message_id, own, remote, UseCase::ReportToken);
    let token = kdf::hmac(key.expose(), &[content]);
    kdf::part::<32, 0, 16>(&token).into_bytes()
}
