//! Dates as JSON.

use std::io::Write;

/// ECMA-262, "Time Values and Time Range": a hundred million days from 1970 to either side.
const MAX_TIME: f64 = 8.64e15;
const MS_PER_DAY: i64 = 86_400_000;

/// Writes what `JSON.stringify(new Date(time))` returns; `time` is in milliseconds since 1970.
pub(crate) fn write_json(time: f64, text: &mut Vec<u8>) {
    // False for NaN, too.
    if time.abs() <= MAX_TIME {
        write_iso(time as i64, text);
    } else {
        text.extend_from_slice(b"null");
    }
}

/// Writes a date by ECMA-262, `Date.prototype.toISOString`. Writing to a Vec cannot fail.
fn write_iso(time: i64, text: &mut Vec<u8>) {
    let (year, month, day) = civil(time.div_euclid(MS_PER_DAY));
    let _ = match year {
        0..=9999 => write!(text, "\"{year:04}"),
        _ => write!(text, "\"{year:+07}"),
    };
    let ms = time.rem_euclid(MS_PER_DAY);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    let _ = write!(text, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.");
    let _ = write!(text, "{:03}Z\"", ms % 1000);
}

/// Returns year, month and day of a day, counted from 1970-01-01, in the proleptic Gregorian
/// calendar: `civil_from_days` of Howard Hinnant's "chrono-Compatible Low-Level Date
/// Algorithms". Years begin in March, so that a leap day is the last one.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468; // since 0000-03-01
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{civil, write_json};

    fn json(time: f64) -> String {
        let mut text = Vec::new();
        write_json(time, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    #[test]
    fn dates_are_printed_as_in_javascript() {
        assert_eq!(json(0.0), r#""1970-01-01T00:00:00.000Z""#);
        assert_eq!(json(-0.9), r#""1970-01-01T00:00:00.000Z""#);
        assert_eq!(json(-1.0), r#""1969-12-31T23:59:59.999Z""#);
        assert_eq!(json(951_827_696_789.9), r#""2000-02-29T12:34:56.789Z""#);
        assert_eq!(json(253_402_300_800_000.0), r#""+010000-01-01T00:00:00.000Z""#);
        assert_eq!(json(-62_167_219_200_001.0), r#""-000001-12-31T23:59:59.999Z""#);
        assert_eq!(json(8.64e15), r#""+275760-09-13T00:00:00.000Z""#);
        assert_eq!(json(-8.64e15), r#""-271821-04-20T00:00:00.000Z""#);
    }

    #[test]
    fn an_invalid_date_is_null() {
        for time in [8.64e15 + 1.0, -8.64e15 - 1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(json(time), "null");
        }
    }

    #[test]
    fn the_calendar_counts_every_day() {
        let mut days = -146_097;
        for year in 1570..2370 {
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let february = if is_leap { 29 } else { 28 };
            let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, length) in (1..).zip(months) {
                for day in 1..=length {
                    assert_eq!(civil(days), (year, month, day));
                    days += 1;
                }
            }
        }
    }
}
