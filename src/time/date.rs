//! Days and dates, to compare a device's clock with the server's and to show it.

use std::fmt;

const DAY_S: u64 = 24 * 60 * 60;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment of the wall clock, in seconds since 1970. Displays as `2026-11-25`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// Reads the `Date` of an HTTP answer (RFC 9110 §5.6.7), in the one form that servers write.
    pub fn of_http_date(text: &str) -> Option<UnixTime> {
        let [_, day, month, year, time, "GMT"] = text.split(' ').collect::<Vec<_>>()[..] else { return None };
        let number = |text: &str, range: std::ops::RangeInclusive<u64>| {
            text.parse::<u64>().ok().filter(|number| range.contains(number))
        };
        let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
        let days = days_before(number(year, 1970..=9999)?, month, number(day, 1..=31)?);
        let [hours, minutes, seconds] = time.split(':').collect::<Vec<_>>()[..] else { return None };
        let seconds =
            number(hours, 0..=23)? * 3600 + number(minutes, 0..=59)? * 60 + number(seconds, 0..=60)?;
        Some(UnixTime(days * DAY_S + seconds))
    }
}

/// Days from 1970 to a date: years begin with March, so that the day that comes and goes is the last one.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    // From March of the year 0 to 1970 it is 719 468 days.
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0 / DAY_S;
        // Near enough to be found by trying: a year has 365.2425 days.
        let guess = 1970 + (days as f64 / 365.2425) as u64;
        let year = if days_before(guess, 1, 1) > days { guess - 1 } else { guess };
        let year = if days_before(year + 1, 1, 1) <= days { year + 1 } else { year };
        let month = (1..=12).rev().find(|&month| days_before(year, month, 1) <= days).unwrap_or(1);
        let day = days - days_before(year, month, 1) + 1;
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http() {
        let cases = [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            // RFC 9110's example.
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Tue, 29 Feb 2000 23:59:59 GMT", Some(951_868_799)),
            ("Wed, 25 Nov 2026 04:13:11 GMT", Some(1_795_579_991)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 24:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49 GMT", None),
            ("Sun, 06 Foo 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 99999999999999999999 08:49:37 GMT", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(UnixTime::of_http_date(text), expected.map(UnixTime), "{text}");
        }
    }

    #[test]
    fn each_day_of_centuries_is_shown_as_it_is_read() {
        for day in (0..150_000).step_by(7) {
            let shown = UnixTime(day * DAY_S + 12_345).to_string();
            let [year, month, day_of_month] = shown.split('-').collect::<Vec<_>>()[..] else {
                panic!("{shown}")
            };
            let name = MONTHS[month.parse::<usize>().unwrap() - 1];
            let text = format!("Day, {day_of_month} {name} {year} 00:00:00 GMT");
            assert_eq!(UnixTime::of_http_date(&text), Some(UnixTime(day * DAY_S)), "{shown}");
        }
        assert_eq!(UnixTime(0).to_string(), "1970-01-01");
        assert_eq!(UnixTime(1_709_164_800).to_string(), "2024-02-29");
    }
}
