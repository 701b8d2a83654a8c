//! Edits of a valid file, read from the fuzzer's bytes.

/// Where most of a file's structure is: in this many bytes at its beginning and at its end.
const STRUCTURE: usize = 4096;

/// A list of edits. Each takes five bytes: what to do, where (two bytes), and two bytes of content.
pub struct Edits<'a>(&'a [u8]);

impl<'a> Edits<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Edits(data)
    }

    /// The file after the edits up to the next one that says "stop".
    pub fn apply(&mut self, file: &[u8]) -> Vec<u8> {
        let mut file = file.to_vec();
        while let Some((&[what, high, low, a, b], rest)) = self.0.split_first_chunk() {
            self.0 = rest;
            let at = usize::from(u16::from_be_bytes([high, low]));
            let near = file.len().min(STRUCTURE).max(1);
            let at = match what >> 6 {
                0 | 1 => at % near,
                2 => file.len() - (at % near).min(file.len()),
                _ => at * file.len() / 0xffff,
            };
            let at = at.min(file.len());
            match what & 7 {
                0 => return file,
                1 => set(&mut file, at, &[a]),
                2 => set(&mut file, at, &[a, b]),
                3 => set(&mut file, at, &[a; 4]),
                4 => set(&mut file, at, &[b; 8]),
                5 => file.truncate(at),
                6 => drop(file.splice(at..at, std::iter::repeat_n(a, usize::from(b)))),
                _ => {
                    let end = (at + usize::from(b)).min(file.len());
                    drop(file.drain(at..end));
                }
            }
        }
        self.0 = &[];
        file
    }
}

fn set(file: &mut [u8], at: usize, bytes: &[u8]) {
    file.iter_mut().skip(at).zip(bytes).for_each(|(place, byte)| *place = *byte);
}
