//! What happens inside the network for one image: what each layer makes of it, and the pixels that its prediction depends
//! on most.

use burn::tensor::{Tensor, activation::softmax};

use crate::{
    feed::upload,
    read::{ReadError, read_flat},
    trainer::Trainer,
};
use inkling_core::{
    data::Batch,
    protocol::{Explanation, Maps},
};

/// Explains the network's prediction for the `pixels` `[C, H, W]` of one image.
///
/// # Errors
/// [`ReadError`] if the device is lost or out of memory.
pub async fn explain(trainer: &Trainer, pixels: &[u8]) -> Result<Explanation, ReadError> {
    let data = trainer.model().network().data();
    let shape = data.image();
    let batch = Batch { shape, pixels: pixels.iter().map(|&p| f32::from(p) / 255.0).collect(), labels: vec![0] };
    let (image, _) = upload(batch, trainer.device());
    let image = image.require_grad();
    let (results, logits) = trainer.model().trace(image.clone());
    let gradients = logits.clone().max_dim(1).sum().backward();
    let nothing = || Tensor::zeros([1, 1, shape.side, shape.side], &image.device());
    let gradient = image.grad(&gradients).map_or_else(nothing, |gradient| gradient.abs().max_dim(1));
    let sizes: Vec<_> = results.iter().map(|result| (result.dims()[2], result.shape().num_elements())).collect();
    let mut parts: Vec<_> = results.into_iter().map(|result| result.inner().flatten::<1>(0, 3)).collect();
    let probabilities = softmax(logits.clone().inner(), 1).flatten(0, 1);
    parts.extend([gradient.flatten(0, 3), logits.inner().flatten(0, 1), probabilities]);
    let values = read_flat("activations", parts).await?;
    let mut rest = &values[..];
    let mut take = |len| {
        let (taken, more) = rest.split_at(len);
        rest = more;
        taken
    };
    let layers = sizes.into_iter().map(|(side, len)| maps(take(len), side)).collect();
    Ok(Explanation {
        steps: trainer.steps_done(),
        layers,
        saliency: maps(take(shape.pixels()), shape.side),
        logits: take(data.classes()).to_vec(),
        probabilities: take(data.classes()).to_vec(),
    })
}

/// Scales values to shades from 0 to 255; the largest value becomes 255, and what is not positive 0.
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
    use inkling_core::{
        data::{CLASSES, IMAGE, synthetic},
        network::Network,
        settings::{Kernels, Method},
    };
    use pollster::block_on;

    #[test]
    fn an_explanation_agrees_with_the_prediction_and_saliency_with_a_central_difference() {
        let schedule = Schedule::new(0.01, 1);
        let recipe = Recipe {
            seed: 4,
            net: Network::default(),
            schedule,
            method: Method::default(),
            kernels: Kernels::Fused,
            class_weights: vec![],
        };
        let trainer = Trainer::new(recipe, &Device::flex());
        let image = synthetic::digits(12, 2).train.image(3).to_vec();
        let found = block_on(explain(&trainer, &image)).unwrap();
        let predicted = block_on(trainer.predict(&image, None)).unwrap();
        for (a, b) in found.probabilities.iter().zip(&predicted) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        let sizes: Vec<_> = found.layers.iter().map(|maps| (maps.side as usize, maps.shades.len())).collect();
        let expected = [(26, 32), (13, 32), (11, 64), (5, 64), (1, 128), (1, 128)];
        assert_eq!(sizes, expected.map(|(side, maps)| (side, maps * side * side)));
        assert!(found.layers.iter().all(|maps| maps.largest > 0.0 && maps.shades.contains(&255)));

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
