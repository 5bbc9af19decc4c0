//! Codes that people read aloud and type.

/// Letters and digits without those that look like another: no 0 and O, 1, I and L, 5 and S,
/// 2 and Z, 8 and B, U and V.
const ALPHABET: &[u8; 23] = b"34679ACDEFGHJKMNPQRTWXY";
/// 23^8, about 78 thousand million codes.
const LENGTH: usize = 8;

/// A code drawn at random.
pub fn random_code() -> String {
    let letter = |_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]);
    (0..LENGTH).map(letter).collect()
}
