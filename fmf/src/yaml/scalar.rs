//! Makes values of the texts of scalars, as ruamel's constructors and the Python functions behind them do it.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::value::{MAX_DIGITS, Value, decimal};

/// Makes a boolean. If the tag is written out, all words of YAML 1.1 count.
pub(super) fn boolean(text: &str) -> Result<Value, String> {
    match text.to_lowercase().as_str() {
        "yes" | "y" | "true" | "on" => Ok(Value::Bool(true)),
        "no" | "n" | "false" | "off" => Ok(Value::Bool(false)),
        _ => Err(format!("`{text}` is not a boolean")),
    }
}

/// Makes an integer.
pub(super) fn integer(text: &str, version_1_1: bool) -> Result<Value, String> {
    let plain = text.replace('_', "");
    let refused = || format!("`{text}` is not an integer");
    let (negative, body) = match plain.strip_prefix(['-', '+']) {
        Some(body) => (plain.starts_with('-'), body),
        None => (false, plain.as_str()),
    };
    if plain.is_empty() {
        return Err(refused());
    }
    let value = if let Some(digits) = body.strip_prefix("0b") {
        python_int(digits, 2)
    } else if let Some(digits) = body.strip_prefix("0x") {
        python_int(digits, 16)
    } else if let Some(digits) = body.strip_prefix("0o") {
        python_int(digits, 8)
    } else if version_1_1 && body.len() > 1 && body.starts_with('0') {
        python_int(body, 8)
    } else if version_1_1 && body.contains(':') {
        sexagesimal(body)
    } else {
        python_int(body, 10)
    };
    let (own_sign, digits) = value.ok_or_else(refused)?;
    if digits.len() > MAX_DIGITS {
        return Err(format!("the integer has more than {MAX_DIGITS} digits"));
    }
    Ok(decimal(negative != own_sign, &digits))
}

/// Reads an integer as Python's `int(text, base)` does, and returns its sign and decimal digits.
fn python_int(text: &str, base: u32) -> Option<(bool, String)> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    // With more digits than this, the result has too many decimal digits in any case.
    if digits.is_empty() || digits.len() > 4 * MAX_DIGITS || !digits.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    if base == 10 {
        return Some((negative, digits.to_owned()));
    }
    Some((negative, to_decimal(digits, base)))
}

/// Converts digits of another base. In between, little-endian groups of nine decimal digits hold the number.
fn to_decimal(digits: &str, base: u32) -> String {
    const GROUP: u64 = 1_000_000_000;
    let mut groups = vec![0_u64];
    for digit in digits.chars().filter_map(|digit| digit.to_digit(base)) {
        let mut carry = u64::from(digit);
        for group in &mut groups {
            let total = *group * u64::from(base) + carry;
            *group = total % GROUP;
            carry = total / GROUP;
        }
        if carry > 0 {
            groups.push(carry);
        }
    }
    let mut text = groups.last().map(u64::to_string).unwrap_or_default();
    for group in groups.iter().rev().skip(1) {
        let _ = write!(text, "{group:09}");
    }
    text
}

/// Reads `H:MM:SS` of YAML 1.1.
fn sexagesimal(text: &str) -> Option<(bool, String)> {
    let mut total: i128 = 0;
    for part in text.split(':') {
        let part: i128 = part.trim().parse().ok()?;
        total = total.checked_mul(60)?.checked_add(part)?;
    }
    Some((total < 0, total.unsigned_abs().to_string()))
}

/// Makes a float.
pub(super) fn float(text: &str, version_1_1: bool) -> Result<Value, String> {
    let plain = text.replace('_', "").to_lowercase();
    let refused = || format!("`{text}` is not a float");
    let (sign, body) = match plain.strip_prefix(['-', '+']) {
        Some(body) => (if plain.starts_with('-') { -1.0 } else { 1.0 }, body),
        None => (1.0, plain.as_str()),
    };
    let float = match body {
        ".inf" => f64::INFINITY,
        ".nan" => return Ok(Value::Float(f64::NAN)),
        _ if version_1_1 && body.contains(':') => {
            let parts = body.split(':').rev();
            let (mut total, mut base) = (0.0, 1.0);
            for part in parts {
                total += part.trim().parse::<f64>().map_err(|_| refused())? * base;
                base *= 60.0;
            }
            total
        }
        _ => body.trim().parse().map_err(|_| refused())?,
    };
    Ok(Value::Float(sign * float))
}

/// Makes bytes from base64 text. Characters outside its alphabet are skipped, as in Python.
pub(super) fn binary(text: &str) -> Result<Value, String> {
    if !text.is_ascii() {
        return Err("base64 has only ASCII characters".to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count, mut padding) = (0_u32, 0_u32, 0_u32);
    for byte in text.bytes() {
        let sextet = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                if count >= 2 && count + padding >= 4 {
                    // The quad is complete. What follows is another text, which Python drops.
                    return Ok(Value::Bytes(Arc::from(bytes)));
                }
                continue;
            }
            _ => continue,
        };
        padding = 0;
        bits = bits << 6 | u32::from(sextet);
        count += 1;
        if count > 1 {
            bytes.push(u8::try_from(bits >> (8 - 2 * count) & 0xff).unwrap_or_default());
        }
        if count == 4 {
            (bits, count) = (0, 0);
        }
    }
    if count == 0 {
        Ok(Value::Bytes(Arc::from(bytes)))
    } else {
        Err("the base64 text is incomplete".to_owned())
    }
}

/// Makes a date or a timestamp from text that looks like one.
pub(super) fn timestamp(text: &str) -> Result<Value, String> {
    let refused = || format!("`{text}` is not a date or timestamp");
    let text = text.strip_suffix('\n').unwrap_or(text);
    parse_timestamp(text)
        .map(|iso| Value::Date(Arc::from(iso)))
        .ok_or_else(refused)
}

fn parse_timestamp(text: &str) -> Option<String> {
    let mut rest = text;
    let year = number(&mut rest, 4, 4)?;
    let month = after(&mut rest, '-').and_then(|()| number(&mut rest, 1, 2))?;
    let day = after(&mut rest, '-').and_then(|()| number(&mut rest, 1, 2))?;
    let date = jiff::civil::Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    )
    .ok()?;
    if year == 0 {
        return None;
    }
    if rest.is_empty() {
        return Some(date.to_string());
    }
    rest = match rest.strip_prefix(['T', 't']) {
        Some(time) => time,
        None => Some(rest.trim_start_matches([' ', '\t'])).filter(|time| time.len() < rest.len())?,
    };
    let hour = number(&mut rest, 1, 2)?;
    let minute = after(&mut rest, ':').and_then(|()| number(&mut rest, 2, 2))?;
    let second = after(&mut rest, ':').and_then(|()| number(&mut rest, 2, 2))?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = 0;
    if after(&mut rest, '.').is_some() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        micros = microseconds(&rest[..digits]);
        rest = &rest[digits..];
    }
    let zone = if rest.is_empty() {
        String::new()
    } else {
        zone(rest.trim_start_matches([' ', '\t']))?
    };
    let mut time = date.at(
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second).ok()?,
        0,
    );
    // Rounding up may carry into the next second, and beyond the last year.
    if micros > 999_999 {
        micros = 0;
        time = time.checked_add(jiff::Span::new().seconds(1)).ok()?;
    }
    let fraction = if micros == 0 {
        String::new()
    } else {
        format!(".{micros:06}")
    };
    Some(format!("{}{fraction}{zone}", time.strftime("%Y-%m-%dT%H:%M:%S")))
}

/// Rounds a fraction's digits to microseconds, by the seventh digit alone.
fn microseconds(digits: &str) -> u32 {
    let six: String = digits.chars().chain(std::iter::repeat('0')).take(6).collect();
    let up = digits.as_bytes().get(6).is_some_and(|&digit| digit > b'4');
    six.parse::<u32>().unwrap_or_default() + u32::from(up)
}

fn zone(text: &str) -> Option<String> {
    if text == "Z" {
        return Some("+00:00".to_owned());
    }
    let mut rest = text;
    let sign = if after(&mut rest, '-').is_some() {
        '-'
    } else {
        after(&mut rest, '+').map(|()| '+')?
    };
    let hours = number(&mut rest, 1, 2)?;
    let minutes = if rest.is_empty() {
        0
    } else {
        after(&mut rest, ':').and_then(|()| number(&mut rest, 2, 2))?
    };
    let total = hours * 60 + minutes;
    if !rest.is_empty() || total >= 24 * 60 {
        return None;
    }
    let sign = if total == 0 { '+' } else { sign };
    Some(format!("{sign}{:02}:{:02}", total / 60, total % 60))
}

/// Takes a number of `least` to `most` digits.
fn number(rest: &mut &str, least: usize, most: usize) -> Option<u32> {
    let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, tail) = rest.split_at_checked(count).filter(|_| count >= least)?;
    *rest = tail;
    digits.parse().ok()
}

fn after(rest: &mut &str, wanted: char) -> Option<()> {
    *rest = rest.strip_prefix(wanted)?;
    Some(())
}
