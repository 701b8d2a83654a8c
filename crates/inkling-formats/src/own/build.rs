//! From numbers and pictures to a data set.

use std::collections::BTreeMap;

use super::{Array, Content, OwnError, Picture};
use crate::csv::CsvError;
use inkling_core::{
    data::{DataShape, Dataset, Labelled, Role, Shape},
    image::MIN_IMAGES,
};

/// One in this many images of a class is held out for the test set, if the files have none.
const TEST_SHARE: usize = 7;
/// The largest class is said to be much larger than the smallest from this factor on.
const UNBALANCED: usize = 3;

/// Images with the names of their classes.
struct Named {
    shape: Shape,
    pixels: Vec<u8>,
    labels: Vec<String>,
    role: Role,
}

/// A data set of arrays, and a sentence about it. Images go with as many labels, with those whose name is most like theirs. Those
/// with `test` or `t10k` in their names are the test set, or else the smaller ones. Without a test set, a seventh of each class is
/// held out.
///
/// # Errors
/// An [`OwnError`] that says what to do.
pub fn assemble(arrays: Vec<Array>) -> Result<(Dataset, String), OwnError> {
    let (mut images, mut labels, mut unlabelled) = (Vec::new(), Vec::new(), Vec::new());
    for Array { name, content } in arrays {
        match content {
            Content::Images { shape, pixels } => images.push((name, shape, pixels)),
            Content::Labels(classes) => labels.push((name, classes)),
            Content::Unlabelled => unlabelled.push(name),
        }
    }
    if let (true, Some(file)) = (images.is_empty(), unlabelled.first()) {
        return Err(OwnError::File { file: file.clone(), source: CsvError::NoClasses.into() });
    }
    if images.len() > 3 {
        return Err(OwnError::TooManySets(images.len()));
    }
    let mut sets = Vec::new();
    for (name, shape, pixels) in images {
        let count = pixels.len() / shape.values();
        let likeness = |other: &str| {
            let same = other.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
            (Role::of(other) == Role::of(&name), same)
        };
        let fitting = labels.iter().enumerate().filter(|(_, other)| other.1.len() == count);
        // Of equals, the first.
        let best = fitting.rev().max_by_key(|(_, other)| likeness(&other.0)).map(|(place, _)| place);
        let place = best.ok_or_else(|| OwnError::Unpaired { name: name.clone(), images: count })?;
        sets.push(Named { shape, pixels, labels: labels.remove(place).1, role: Role::of(&name) });
    }
    let (data, note) = build(sets)?;
    let left_out: String = unlabelled.iter().map(|file| format!("{file} has no classes and is left out. ")).collect();
    Ok((data, left_out + &note))
}

/// A data set of decoded pictures, `[C, H, W]` each, and a sentence about it.
///
/// # Errors
/// An [`OwnError`] that says what to do.
pub fn pictures(shape: Shape, decoded: Vec<(Picture, Vec<u8>)>) -> Result<(Dataset, String), OwnError> {
    let mut sets = [Role::Train, Role::Validation, Role::Test].map(|role| Named {
        shape,
        pixels: Vec::new(),
        labels: Vec::new(),
        role,
    });
    for (picture, pixels) in decoded {
        let set = &mut sets[picture.role as usize];
        set.pixels.extend(pixels);
        set.labels.push(picture.class);
    }
    build(sets.into_iter().filter(|set| !set.labels.is_empty()).collect())
}

/// Images to train with and images to test with, if there are any. With a test set, images for validation are trained on as well:
/// a run chooses its own.
fn roles(mut sets: Vec<Named>) -> Result<(Named, Option<Named>), OwnError> {
    sets.sort_by_key(|set| (set.role, std::cmp::Reverse(set.labels.len())));
    let count = sets.len();
    let mut sets = sets.into_iter();
    match (sets.next(), sets.next(), sets.next(), sets.next()) {
        (Some(train), test, None, None) => Ok((train, test)),
        (Some(mut train), Some(more), Some(test), None)
            if (more.role, test.role) == (Role::Validation, Role::Test) && more.shape == train.shape =>
        {
            train.pixels.extend(more.pixels);
            train.labels.extend(more.labels);
            Ok((train, Some(test)))
        }
        (None, ..) => Err(OwnError::NoImages),
        _ => Err(OwnError::TooManySets(count)),
    }
}

/// Gives each class its number, and holds out a test set where the files bring none.
fn build(sets: Vec<Named>) -> Result<(Dataset, String), OwnError> {
    let (train, test) = roles(sets)?;
    let (numbers, names) = classes(train.labels.iter().chain(test.iter().flat_map(|test| &test.labels)));
    let shape = DataShape::new(train.shape, numbers.len())?;
    let numbered = |Named { shape, pixels, labels, .. }: Named| {
        let labels = labels.iter().filter_map(|label| numbers.get(label).copied()).collect();
        Labelled { shape, pixels, labels }
    };
    let held_out = test.is_none();
    let train = numbered(train);
    let (train, test) = match test {
        Some(test) => (train, numbered(test)),
        None => hold_out(&train),
    };
    if test.shape != train.shape {
        return Err(OwnError::TwoShapes(train.shape, test.shape));
    }
    if train.len() < MIN_IMAGES || test.is_empty() {
        return Err(OwnError::TooFew(train.len()));
    }
    let mut counts = vec![0; shape.classes()];
    train.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    if let Some(empty) = counts.iter().position(|&count| count == 0) {
        let name = names.get(empty).cloned().unwrap_or_else(|| empty.to_string());
        return Err(OwnError::EmptyClass(name));
    }
    let note = sentence(shape, &train, &test, held_out, &counts);
    Ok((Dataset { shape, names, train, test }, note))
}

/// The number of each class, and the names of the classes; without names if they are the numbers from 0.
fn classes<'a>(labels: impl Iterator<Item = &'a String>) -> (BTreeMap<String, u8>, Vec<String>) {
    let mut found: Vec<&String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for label in labels {
        if seen.insert(label) {
            found.push(label);
        }
    }
    // Numbers in their order, before words in theirs.
    found.sort_by_key(|label| (label.parse::<u64>().unwrap_or(u64::MAX), (*label).clone()));
    let plain = found.iter().enumerate().all(|(number, label)| **label == number.to_string());
    let names = if plain { Vec::new() } else { found.iter().map(|label| (*label).clone()).collect() };
    (found.into_iter().cloned().zip((0..=u8::MAX).cycle()).collect(), names)
}

/// Splits the images into training and test images: every seventh of each class is a test image.
fn hold_out(all: &Labelled) -> (Labelled, Labelled) {
    let mut counts = [0usize; 256];
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (number, &label) in all.labels.iter().enumerate() {
        let count = &mut counts[usize::from(label)];
        // Shifted by class: many small classes also have some test images.
        let is_test = *count > 0 && (*count + usize::from(label)) % TEST_SHARE == TEST_SHARE - 1;
        let set = if is_test { &mut test } else { &mut train };
        set.push(number as u32);
        *count += 1;
    }
    (all.pick(&train).images, all.pick(&test).images)
}

fn sentence(shape: DataShape, train: &Labelled, test: &Labelled, held_out: bool, counts: &[usize]) -> String {
    let Shape { channels, side } = shape.image();
    let colour = if channels == 3 { "in colour" } else { "gray" };
    let mut words = format!(
        "{} images to train with, {} to test with: {side} by {side} pixels, {colour}, {} classes.",
        train.len(),
        test.len(),
        shape.classes()
    );
    if held_out {
        words += " A seventh of each class is set aside to test with, because there is no test set.";
    }
    let (smallest, largest) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    if largest >= UNBALANCED * smallest.max(1) {
        words += &format!(
            " The largest class has {largest} images, the smallest {smallest}: the network will favour the large ones, unless you choose Balance classes under More."
        );
    }
    words
}
