//! Session establishment (spec 03): X3DH for version 3, PQXDH for version 4.
//!
//! | file | concept |
//! |---|---|
//! | [`secret_input`] | the concatenation of all agreements (§2) and what is derived from it (§3) |
//! | [`initiator`] | Alice, who has a bundle (§4.1) |
//! | [`recipient`] | Bob, who has a pre-key message (§4.2) |

pub(crate) mod initiator;
pub(crate) mod recipient;
pub(crate) mod secret_input;
