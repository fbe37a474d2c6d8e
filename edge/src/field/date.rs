//! HTTP dates (RFC 9110 §5.6.7). Ours, because crates for it either read a clock or decide for us what a wrong form means:
//! to a cache `Expires: 0` is a statement, not an error (RFC 9111 §5.3).

use crate::time::Timestamp;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Reads one of the three forms of a date; `None` for every other text. Days before 1970 count as its first second.
/// `now` says which century the two-digit year of the form of RFC 850 is in.
pub fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    imf_fixdate(text).or_else(|| rfc850(text, now)).or_else(|| asctime(text))
}

/// Writes a date as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn format(at: Timestamp) -> String {
    let seconds = at.as_millis() / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let weekday = WEEKDAYS[usize::try_from((days + 3) % 7).unwrap_or(0)];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} GMT", MONTHS[month - 1])
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() != 29 || &bytes[3..5] != b", " || bytes[7] != b' ' || bytes[11] != b' ' || bytes[16] != b' ' {
        return None;
    }
    let weekday = text.get(..3)?;
    let rest = text.get(25..)?;
    if !WEEKDAYS.contains(&weekday) || rest != " GMT" {
        return None;
    }
    timestamp(number(text.get(12..16)?)?, month(text.get(8..11)?)?, number(text.get(5..7)?)?, text.get(17..25)?)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850(text: &str, now: Timestamp) -> Option<Timestamp> {
    let (weekday, rest) = text.split_once(", ")?;
    let bytes = rest.as_bytes();
    if !LONG_WEEKDAYS.contains(&weekday) || bytes.len() != 22 {
        return None;
    }
    if bytes[2] != b'-' || bytes[6] != b'-' || bytes[9] != b' ' || rest.get(18..)? != " GMT" {
        return None;
    }
    let (this_year, ..) = civil(now.as_millis() / 86_400_000);
    let mut year = this_year - this_year % 100 + number(rest.get(7..9)?)?;
    // "More than 50 years in the future" is the past.
    if year > this_year + 50 {
        year -= 100;
    } else if year + 50 < this_year {
        year += 100;
    }
    timestamp(year, month(rest.get(3..6)?)?, number(rest.get(..2)?)?, rest.get(10..18)?)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() != 24 || bytes[3] != b' ' || bytes[7] != b' ' || bytes[10] != b' ' || bytes[19] != b' ' {
        return None;
    }
    if !WEEKDAYS.contains(&text.get(..3)?) {
        return None;
    }
    let day = text.get(8..10)?;
    let day = number(day.strip_prefix(' ').unwrap_or(day))?;
    timestamp(number(text.get(20..)?)?, month(text.get(4..7)?)?, day, text.get(11..19)?)
}

fn month(name: &str) -> Option<u64> {
    let place = MONTHS.iter().position(|month| *month == name)?;
    u64::try_from(place + 1).ok()
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn timestamp(year: u64, month: u64, day: u64, clock: &str) -> Option<Timestamp> {
    let bytes = clock.as_bytes();
    if bytes[2] != b':' || bytes[5] != b':' {
        return None;
    }
    let (hour, minute) = (number(clock.get(..2)?)?, number(clock.get(3..5)?)?);
    let second = number(clock.get(6..)?)?;
    if day == 0 || day > days_of(year, month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // A leap second is the last of its minute to clocks that have none.
    let seconds = hour * 3600 + minute * 60 + second.min(59);
    let days = if year < 1970 { 0 } else { days(year, month, day) };
    let seconds = if year < 1970 { 0 } else { days * 86_400 + seconds };
    Some(Timestamp::from_millis(seconds * 1000))
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the first of 1970 to a day of the Gregorian calendar, not before it.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let before_year = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    before_year + (1..month).map(|month| days_of(year, month)).sum::<u64>() + day - 1
}

/// Year, month and day of a number of days since the first of 1970.
fn civil(days_since_epoch: u64) -> (u64, usize, u64) {
    // Years have 365.2425 days: the guess is right or one too late.
    let mut year = 1970 + days_since_epoch * 400 / 146_097;
    while days(year, 1, 1) > days_since_epoch {
        year -= 1;
    }
    while days(year + 1, 1, 1) <= days_since_epoch {
        year += 1;
    }
    let mut day = days_since_epoch - days(year, 1, 1);
    let mut month = 1;
    while day >= days_of(year, month) {
        day -= days_of(year, month);
        month += 1;
    }
    (year, usize::try_from(month).unwrap_or(1), day + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sat, 21 Nov 2026 00:00:00 GMT.
    const NOW: Timestamp = Timestamp::from_millis(1_795_219_200_000);

    #[track_caller]
    fn check(text: &str, seconds: Option<u64>) {
        assert_eq!(parse(text, NOW).map(|at| at.as_millis() / 1000), seconds, "{text}");
    }

    #[test]
    fn the_three_forms_are_read() {
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            check(text, Some(784_111_777));
        }
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
        check("Tue, 19 Jan 2038 03:14:08 GMT", Some(1 << 31));
        check("Sun, 21 Nov 2286 04:46:39 GMT", Some(10_000_039_599));
        check("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799));
        check("Thu, 29 Feb 2024 00:00:00 GMT", Some(1_709_164_800));
        check("Sat, 31 Dec 2016 23:59:60 GMT", Some(1_483_228_799));
        check("Wed, 31 Dec 1969 23:59:59 GMT", Some(0));
        check("Mon, 01 Jan 0001 00:00:00 GMT", Some(0));
        // The weekday is for people: a wrong one changes nothing.
        check("Mon, 06 Nov 1994 08:49:37 GMT", Some(784_111_777));
    }

    #[test]
    fn a_year_of_two_digits_is_at_most_fifty_years_ahead() {
        check("Thursday, 18-Aug-50 02:01:18 GMT", Some(2_544_400_878));
        check("Saturday, 01-Jan-76 00:00:00 GMT", Some(3_345_062_400));
        check("Saturday, 01-Jan-77 00:00:00 GMT", Some(220_924_800));
        let late = Timestamp::from_millis(4_070_908_800_000);
        let read = parse("Friday, 01-Jan-10 00:00:00 GMT", late).unwrap();
        assert_eq!(format(read), "Wed, 01 Jan 2110 00:00:00 GMT");
    }

    #[test]
    fn every_wrong_form_is_no_date() {
        for text in [
            "",
            "0",
            "-1",
            "1795219200",
            "2026-11-21T00:00:00Z",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 AEST",
            "Sun, 06 Nov 1994 08:49:37 gmt",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "SUN, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 NOV 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov  1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Wed, 29 Feb 2023 00:00:00 GMT",
            "Sun, 06 Nov -994 08:49:37 GMT",
            "Sun, 06 Nov +994 08:49:37 GMT",
            " Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:38 GMT",
            "Sundey, 06-Nov-94 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov  6 08:49:37 199x",
            "Sün, 06 Nov 1994 08:49:37 GM",
        ] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(seconds in 0u64..253_402_300_800) {
            let at = Timestamp::from_millis(seconds * 1000);
            prop_assert_eq!(parse(&format(at), NOW), Some(at));
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,40}", wild in "[A-Z][a-z]{2}[,]? [0-9 ]{2}.[A-Za-z]{3}.[0-9]{2,4} [0-9:]{8} (GMT)?") {
            let _ = parse(&text, NOW);
            let _ = parse(&wild, NOW);
        }
    }
}
