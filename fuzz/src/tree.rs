//! Edits of a record: values are replaced, removed and repeated wherever they are.

use ciborium::Value;
use serde::{Serialize, de::DeserializeOwned};

/// A record as a tree of values.
pub fn of(record: &impl Serialize) -> Value {
    Value::serialized(record).unwrap_or(Value::Null)
}

/// The record with the edits in `data`, if it still has the right shape.
pub fn edited<T: DeserializeOwned>(record: &Value, data: &[u8]) -> Option<T> {
    let mut record = record.clone();
    for edit in data.chunks(12).take(8) {
        if let Some((path, change)) = edit.split_last_chunk::<4>().map(|(path, change)| (path, *change)) {
            change_at(&mut record, path, change);
        }
    }
    record.deserialized().ok()
}

/// Follows `path` down the tree, one byte for each branch, and changes the value at its end.
fn change_at(value: &mut Value, path: &[u8], change: [u8; 4]) {
    let Some((&step, rest)) = path.split_first() else { return replace(value, change) };
    match value {
        Value::Array(items) if !items.is_empty() => {
            let place = usize::from(step) % items.len();
            if rest.is_empty() && change[0] & 0x80 != 0 {
                return resize(items, place, change);
            }
            change_at(&mut items[place], rest, change);
        }
        Value::Map(entries) if !entries.is_empty() => {
            let place = usize::from(step) % entries.len();
            if rest.is_empty() && change[0] & 0xf0 == 0xf0 {
                entries.remove(place);
                return;
            }
            change_at(&mut entries[place].1, rest, change);
        }
        leaf => replace(leaf, change),
    }
}

fn resize(items: &mut Vec<Value>, place: usize, [_, how, count, _]: [u8; 4]) {
    match how % 3 {
        0 => drop(items.remove(place)),
        1 => items.extend(std::iter::repeat_n(items[place].clone(), usize::from(count))),
        _ => items.truncate(place),
    }
}

fn replace(value: &mut Value, [how, a, b, c]: [u8; 4]) {
    let number = u32::from_be_bytes([0, a, b, c]);
    // Numbers and bytes keep their kind, or few records would have the right shape.
    *value = match (&*value, how % 16) {
        (Value::Bytes(bytes), 0..4) => Value::Bytes(bytes[..bytes.len().min(number as usize)].to_vec()),
        (Value::Bytes(bytes), 4..14) => {
            let mut bytes = bytes.clone();
            let at = number as usize % bytes.len().max(1);
            // 0xff, 0x7f and 0x80 make a float that is not a number, or infinite, or zero.
            let content = [[0xff; 4], [0, 0, 0x80, 0x7f], [0, 0, 0x80, 0xff], [c; 4]][usize::from(how) % 4];
            bytes.iter_mut().skip(at & !3).zip(content).for_each(|(place, byte)| *place = byte);
            Value::Bytes(bytes)
        }
        (Value::Float(_), 0) => Value::Float(f64::NAN),
        (Value::Float(_), 1) => Value::Float(f64::INFINITY),
        (Value::Float(_), 2) => Value::Float(f64::NEG_INFINITY),
        (Value::Float(_), 3) => Value::Float(1.7e308),
        (Value::Float(_), 4) => Value::Float(5e-324),
        (Value::Float(_), 5) => Value::Float(-f64::from(number)),
        (Value::Float(_), 6) => Value::Float(f64::from(f32::MAX)),
        (Value::Float(_), 7..14) => Value::Float(f64::from(number) / 1e4),
        (Value::Integer(_), 0) => Value::from(u32::MAX),
        (Value::Integer(_), 1) => Value::from(u64::MAX),
        (Value::Integer(_), 2) => Value::from(-1),
        (Value::Integer(_), 3) => Value::from(u32::MAX - 1),
        (Value::Integer(_), 4..9) => Value::from(a),
        (Value::Integer(_), 9..14) => Value::from(number),
        (Value::Text(_), 0..14) => Value::Text("x".repeat(number as usize % 20_000)),
        (Value::Null, 0..8) => Value::from(a),
        (_, 14) => Value::Null,
        _ => Value::Array(vec![Value::from(a), Value::from(b)]),
    };
}
