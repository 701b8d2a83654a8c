//! One training step or evaluation on numbered images, with images on the device, on one worker, or split over a team.

use inkling_core::augment::Augmentation;
use web_time::Instant;

use crate::{
    evaluated::Evaluated,
    feed::{Feed, Images, assemble, filled},
    model::Model,
    read::{ReadError, StepMetrics},
    replicas::Team,
    resident,
    trainer::Trainer,
};

/// One training step on the images with these `numbers`. `size` is the number of images in a full batch.
///
/// # Errors
/// [`ReadError`] if the device is lost or out of memory.
pub async fn step(
    trainer: &mut Trainer,
    team: &mut Team,
    images: Images<'_>,
    numbers: &[u32],
    augmentation: Option<(Augmentation, u32)>,
    size: usize,
) -> Result<StepMetrics, ReadError> {
    let start = Instant::now();
    let seed = trainer.recipe().seed;
    let metrics = if let Some(set) = images.resident.filter(|_| resident::POSSIBLE) {
        let maps = augmentation.map(|(ranges, epoch)| ranges.maps(images.host.shape.side, numbers, seed, epoch));
        let feed = Feed::resident(set, numbers, maps, size, trainer.device());
        trainer.parts.augment += start.elapsed().as_secs_f64();
        trainer.step(feed)
    } else if team.workers() == 1 {
        let batch = assemble(images.host.pick(numbers), augmentation, seed, &mut trainer.parts);
        let feed = Feed::upload(batch, trainer.device());
        trainer.step(feed)
    } else {
        let picked = images.host.pick(numbers);
        trainer.parts.augment += start.elapsed().as_secs_f64();
        team.step(trainer, &picked, augmentation).await?
    };
    trainer.parts.steps += start.elapsed().as_secs_f64();
    Ok(metrics)
}

/// Loss and predictions of `model` for the images with these `numbers`, in their order, part by part. `size` is the number of
/// images in a full batch.
///
/// # Errors
/// [`ReadError`] if the device is lost or out of memory.
pub async fn evaluate(
    trainer: &mut Trainer,
    model: &Model,
    team: &mut Team,
    images: Images<'_>,
    numbers: &[u32],
    size: usize,
) -> Result<Vec<Evaluated>, ReadError> {
    let picked = images.host.pick(numbers).images;
    let resident = images.resident.filter(|_| resident::POSSIBLE);
    if let Some((pixels, _)) = resident.map(|set| set.batch(&filled(numbers.to_vec(), size), None)) {
        return Ok(vec![Evaluated::new(model, pixels, picked.labels).await?]);
    }
    team.evaluate(trainer, model, &picked).await
}
