//! Rows of a table as JSON, which compress as real ones do. `bench/processes/records.js` has the servers' rows.

use fastrand::Rng;

const FIRST_NAMES: [&str; 12] = [
    "Ada", "Bela", "Chloe", "Dario", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas", "Kira",
    "Luca",
];
const LAST_NAMES: [&str; 12] = [
    "Adams", "Bianchi", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Horvat", "Ito", "Jensen",
    "Kowalski", "Lopez",
];
const STATES: [&str; 6] = ["new", "open", "paid", "sent", "returned", "cancelled"];

/// Returns an array of as many rows as fit into `len` bytes, at least the two of its brackets; the same
/// for the same seed.
pub fn rows(len: usize, seed: u64) -> String {
    let mut rng = Rng::with_seed(seed);
    let mut rows = String::from("[");
    loop {
        let row = row(&mut rng);
        let comma = if rows.len() > 1 { "," } else { "" };
        if rows.len() + comma.len() + row.len() + "]".len() > len {
            break;
        }
        rows += comma;
        rows += &row;
    }
    rows + "]"
}

fn row(rng: &mut Rng) -> String {
    let (first, last) = (one_of(rng, &FIRST_NAMES), one_of(rng, &LAST_NAMES));
    let (id, state, items) = (rng.u32(..), one_of(rng, &STATES), rng.u8(1..30));
    let (amount, cents, at) = (rng.u16(..10_000), rng.u8(10..99), rng.u64(..1 << 34));
    let at = 1_760_000_000_000 + at;
    format!(
        r#"{{"id":"{id:08x}","name":"{first} {last}","state":"{state}","amount":{amount}.{cents},"items":{items},"at":{at}}}"#
    )
}

fn one_of<'a>(rng: &mut Rng, values: &[&'a str]) -> &'a str {
    values.get(rng.usize(..values.len())).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn they_fill_the_length_with_different_rows() -> serde_json::Result<()> {
        let text = rows(2_000, 1);
        assert!((1_800..=2_000).contains(&text.len()), "{} bytes", text.len());
        let mut rows = serde_json::from_str::<Vec<Value>>(&text)?;
        let drawn = rows.len();
        rows.dedup();
        assert_eq!(rows.len(), drawn);
        Ok(())
    }

    #[test]
    fn they_follow_from_the_seed() {
        assert_eq!(rows(1_000, 7), rows(1_000, 7));
        assert_ne!(rows(1_000, 7), rows(1_000, 8));
        assert_eq!(rows(2, 7), "[]");
    }
}
