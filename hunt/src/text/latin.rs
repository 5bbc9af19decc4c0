//! Latin letters that Unicode does not decompose, and the plain letters that stand for them.

/// Upper-case letters with their replacement, from the transform Latin-ASCII of Unicode's Common
/// Locale Data Repository (CLDR 48). Letters that it leaves as they are, are not listed.
const REPLACEMENTS: &str = "\
ÆAE ÐD ØO ÞTH ĐD ĦH ĸQ ŁL ŊN ŒOE ŦT ƁB ƂB ƇC ƉD ƊD ƋD ƐE ƑF ƓG ƖI ƗI ƘK ƝN ƢOI ƤP ƫT ƬT ƮT ƲV ƳY ƵZ \
ǤG ǶHV ȠN ȡD ȤZ ȴL ȵN ȶT ȷJ ȸDB ȹQP ȺA ȻC ȽL ȾT ɃB ɄU ɆE ɈJ ɌR ɎY ɕC ɟJ ɢG ɧH ɭL ɳN ɴN ɶOE ɼR ɾR ʏY \
ʐZ ʑZ ʙB ʛG ʜH ʟL ʠQ ʣDZ ʥDZ ʦTS ʪLS ʫLZ ᴀA ᴁAE ᴃB ᴄC ᴅD ᴆD ᴇE ᴊJ ᴋK ᴌL ᴍM ᴏO ᴘP ᴛT ᴜU ᴠV ᴡW ᴢZ ᵫUE \
ᵬB ᵭD ᵮF ᵯM ᵰN ᵱP ᵲR ᵳR ᵴS ᵵT ᵶZ ᵺTH ᵻI ᵾU ᶀB ᶁD ᶂF ᶃG ᶄK ᶅL ᶆM ᶇN ᶈP ᶉR ᶊS ᶌV ᶍX ᶏA ᶑD ᶒE ᶓE ᶖI ᶙU \
ẜS ẝS ỺLL ỼV ỾY ⱠL ⱢL ⱣP ⱤR ⱧH ⱩK ⱫZ ⱮM ⱱV ⱲW ⱴV ⱸE ⱺO ⱾS ⱿZ ꜰF ꜱS ꜲAA ꜴAO ꜶAU ꜸAV ꜺAV ꜼAY ꝀK ꝂK ꝄK \
ꝆL ꝈL ꝊO ꝌO ꝎOO ꝐP ꝒP ꝔP ꝖQ ꝘQ ꝞV ꝠVY ꝤTH ꝦTH ꝱD ꝲL ꝳM ꝴN ꝵR ꝶR ꝷT ꝹD ꝻF ꞆT ꞐN ꞒC ꞠG ꞢK ꞤN ꞦR ꞨS";

/// The plain letters for an upper-case Latin letter, if it is not one itself.
pub(super) fn plain_letters(letter: char) -> Option<&'static str> {
    if letter.is_ascii() {
        return None;
    }
    REPLACEMENTS
        .split(' ')
        .find_map(|entry| entry.strip_prefix(letter))
}

#[cfg(test)]
mod tests {
    use super::{REPLACEMENTS, plain_letters};

    #[test]
    fn every_replacement_is_of_plain_capitals() {
        for entry in REPLACEMENTS.split(' ') {
            let letter = entry.chars().next().expect("no entry is empty");
            let plain = plain_letters(letter).expect("every entry is found");
            assert_eq!(entry, format!("{letter}{plain}"));
            assert!(!plain.is_empty() && plain.chars().all(|c| c.is_ascii_uppercase()));
        }
    }
}
