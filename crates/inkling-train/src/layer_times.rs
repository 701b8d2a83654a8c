//! How long a training pass spends in each layer.

use burn::tensor::Tensor;
use inkling_core::data::{Batch, Labelled};
use web_time::Instant;

use crate::{
    feed::upload,
    model::Training,
    pass::{Shard, dropout},
    read::{ReadError, read_flat},
    trainer::Trainer,
};

/// Images in a pass.
const IMAGES: usize = 32;
/// The first passes compile kernels and fill memory pools, and other programs disturb some: the fastest pass counts.
const PASSES: usize = 4;

/// Seconds for the forward and the backward pass through each layer, the last dense one included, for the same 32 of `images`. A
/// max-pool that is one operation with the convolution before it has 0, and its convolution the time of both.
///
/// # Errors
/// [`ReadError`] if the device is lost or out of memory.
pub async fn layer_times(trainer: &Trainer, images: &Labelled) -> Result<Vec<f64>, ReadError> {
    let mut times = vec![f64::INFINITY; trainer.model().network().layers().len() + 1];
    for _ in 0..PASSES {
        let pass = one_pass(trainer, images).await?;
        times.iter_mut().zip(pass).for_each(|(fastest, time)| *fastest = fastest.min(time));
    }
    Ok(times)
}

async fn one_pass(trainer: &Trainer, images: &Labelled) -> Result<Vec<f64>, ReadError> {
    let (network, device) = (trainer.model().network(), trainer.device());
    let batch = Batch::plain(images, (0..images.len()).cycle().take(IMAGES));
    let (mut x, _) = upload(batch, device);
    let shard = Shard { step: 0, first: 0, of: IMAGES };
    let dropout = dropout(network, trainer.recipe().seed, shard, IMAGES, device, false);
    let mut walk = trainer.model().walk_training(Training { dropout, counted: IMAGES });
    let mut times = vec![0.0; network.layers().len() + 1];
    let mut finish = async |place: usize, start: Instant, x: &Tensor<4>, y: Tensor<1>| {
        let gradients = y.clone().sum().backward();
        // A device may still be at work: one value arrives after all that was asked of it.
        let last = x.grad(&gradients).map_or_else(|| y.inner(), |gradient| gradient.flatten(0, 3));
        read_flat("times", vec![last.slice(0..1)]).await?;
        times[place] = start.elapsed().as_secs_f64();
        Ok::<(), ReadError>(())
    };
    while let Some((place, layer)) = walk.next_layer() {
        let start = Instant::now();
        let y = walk.compute(layer, x.clone());
        finish(place, start, &x, y.clone().flatten(0, 3)).await?;
        // The images themselves need no gradient; every other input does.
        x = y.detach().require_grad();
    }
    let start = Instant::now();
    let logits = walk.logits(x.clone());
    finish(network.layers().len(), start, &x, logits.flatten(0, 1)).await?;
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pass::Recipe, schedule::Schedule};
    use burn::tensor::Device;
    use inkling_core::{
        data::synthetic,
        network::{DataShape, Layers},
        settings::{Kernels, Method},
    };
    use pollster::block_on;

    #[test]
    fn every_layer_takes_some_time_but_a_pool_that_is_part_of_its_convolution() {
        let text = "conv 8, pool, conv 64 same none, batchnorm relu, residual 16, globalpool, dropout 0.2, dense 16";
        let net = text.parse::<Layers>().unwrap().fit(DataShape::DIGITS).unwrap();
        let (schedule, method) = (Schedule::new(0.01, 1), Method::default());
        let recipe = Recipe { seed: 4, net, schedule, method, kernels: Kernels::Fused, class_weights: vec![] };
        let trainer = Trainer::new(recipe, &Device::flex());
        let times = block_on(layer_times(&trainer, &synthetic::digits(120, 2).train)).unwrap();
        assert_eq!(times.len(), 9);
        assert!(times.iter().enumerate().all(|(place, &time)| (time > 0.0) == (place != 1)), "{times:?}");
    }
}
