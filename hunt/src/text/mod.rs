//! What people type: how guesses are compared, which names and texts can be shown, and which names
//! look alike. Pure functions over Unicode data; what they return is never stored in the state.

mod guess;
mod latin;
mod name;
mod shown;

pub use guess::{Forms, NORMALISER_VERSION};
pub use name::{NameIndex, NameKey};
pub use shown::{TextError, acceptable_name, acceptable_text};
