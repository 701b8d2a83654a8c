//! What happens inside the network for one image: the outputs of its blocks, and the pixels that its prediction depends
//! on most.

use burn::tensor::{Tensor, activation::softmax};

use crate::{
    feed::upload,
    read::{ReadError, read_flat},
    trainer::Trainer,
};
use inkling_core::{
    data::{Batch, CLASSES, IMAGE, SIDE},
    protocol::{Explanation, Maps},
};

/// Explains the network's prediction for `pixels` `[28, 28]`.
///
/// # Errors
/// [`ReadError`] if the device is lost or out of memory.
pub async fn explain(trainer: &Trainer, pixels: &[u8]) -> Result<Explanation, ReadError> {
    let batch = Batch { pixels: pixels.iter().map(|&p| f32::from(p) / 255.0).collect(), labels: vec![0] };
    let (image, _) = upload(batch, trainer.device());
    let image = image.require_grad();
    let (blocks, logits) = trainer.model().trace(image.clone());
    let gradients = logits.clone().max_dim(1).sum().backward();
    let gradient =
        image.grad(&gradients).map_or_else(|| Tensor::zeros([1, 1, SIDE, SIDE], &image.device()), |g| g.abs());
    let sides = blocks.each_ref().map(|block| block.dims()[2]);
    let lengths = blocks.each_ref().map(|block| block.dims().iter().product::<usize>());
    let [first, second] = blocks.map(|block| block.inner().flatten(0, 3));
    let probabilities = softmax(logits.clone().inner(), 1).flatten(0, 1);
    let parts = vec![first, second, gradient.flatten(0, 3), logits.inner().flatten(0, 1), probabilities];
    let values = read_flat("activations", parts).await?;
    let (first, rest) = values.split_at(lengths[0]);
    let (second, rest) = rest.split_at(lengths[1]);
    let (saliency, rest) = rest.split_at(IMAGE);
    let (logits, probabilities) = rest.split_at(CLASSES);
    Ok(Explanation {
        steps: trainer.steps_done(),
        logits: logits.to_vec(),
        probabilities: probabilities.to_vec(),
        blocks: [maps(first, sides[0]), maps(second, sides[1])],
        saliency: maps(saliency, SIDE),
    })
}

/// Scales non-negative values to shades from 0 to 255; the largest value becomes 255.
fn maps(values: &[f32], side: usize) -> Maps {
    let largest = values.iter().fold(0.0, |m: f32, &v| m.max(v));
    let scale = if largest > 0.0 { 255.0 / largest } else { 0.0 };
    let shades = values.iter().map(|value| (value * scale).round() as u8).collect();
    Maps { side: side as u32, largest, shades }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pass::Recipe, schedule::Schedule};
    use burn::tensor::Device;
    use inkling_core::{data::synthetic, settings::Kernels};
    use pollster::block_on;

    #[test]
    fn an_explanation_agrees_with_the_prediction_and_saliency_with_a_central_difference() {
        let schedule = Schedule { peak: 0.01, steps: 1 };
        let recipe = Recipe { seed: 4, dropout: 0.0, schedule, kernels: Kernels::Fused };
        let trainer = Trainer::new(recipe, &Device::flex());
        let image = synthetic::generate(12, 2).train.image(3).to_vec();
        let found = block_on(explain(&trainer, &image)).unwrap();
        let predicted = block_on(trainer.predict(&image, None)).unwrap();
        for (a, b) in found.probabilities.iter().zip(&predicted) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        assert_eq!((found.blocks[0].side, found.blocks[0].shades.len()), (13, 32 * 13 * 13));
        assert_eq!((found.blocks[1].side, found.blocks[1].shades.len()), (5, 64 * 5 * 5));
        assert!(found.blocks.iter().all(|maps| maps.largest > 0.0 && maps.shades.contains(&255)));

        // Compare the saliency of the most salient pixel with a central difference there.
        let place = (0..IMAGE).max_by_key(|&i| found.saliency.shades[i]).unwrap();
        let top = (0..CLASSES).max_by(|&a, &b| found.logits[a].total_cmp(&found.logits[b])).unwrap();
        let logit = |change: i16| {
            let mut image = image.clone();
            image[place] = (i16::from(image[place]).clamp(6, 249) + change) as u8;
            block_on(explain(&trainer, &image)).unwrap().logits[top]
        };
        let slope = (logit(6) - logit(-6)) / (12.0 / 255.0);
        let largest = found.saliency.largest;
        assert!((slope.abs() - largest).abs() < 0.15 * largest, "slope {slope}, gradient {largest}");
    }
}
