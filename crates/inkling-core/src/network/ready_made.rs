//! Networks to start from.

/// A network to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyMade {
    /// Its name in the menu.
    pub name: &'static str,
    /// Its description.
    pub text: &'static str,
    /// What it teaches.
    pub lesson: &'static str,
}

/// The networks to start from.
pub const READY_MADE: [ReadyMade; 9] = [
    ReadyMade {
        name: "Convolutional (the default)",
        text: "conv 32, pool, conv 64, pool, dense 128, dropout 0.3",
        lesson: "Two convolutions look for small patterns, then for patterns of patterns: the network of many Keras tutorials.",
    },
    ReadyMade {
        name: "Softmax regression",
        text: "none",
        lesson: "Without a hidden layer, each pixel votes for or against each class. How far does that go?",
    },
    ReadyMade {
        name: "Perceptron",
        text: "dense 128",
        lesson: "One hidden layer sees all pixels at once, and learns nothing that it could use in another place of the image.",
    },
    ReadyMade {
        name: "LeNet-5",
        text: "conv 6 5x5 same tanh, avgpool, conv 16 5x5 tanh, avgpool, dense 120 tanh, dense 84 tanh",
        lesson: "LeCun's network of 1998, with tanh and average pooling: a quarter of the parameters of the default.",
    },
    ReadyMade {
        name: "Tiny",
        text: "conv 16, pool, conv 24, pool",
        lesson: "Fewer than 10,000 parameters, and no hidden dense layer: how little is enough?",
    },
    ReadyMade {
        name: "Fully convolutional",
        text: "conv 16 same, pool, conv 32 same, pool, conv 64, globalpool",
        lesson: "The mean of each map decides: whether a pattern is there counts, not where.",
    },
    ReadyMade {
        name: "Deeper",
        text: "conv 16 same, conv 16 same, pool, conv 32 same, conv 32 same, pool, conv 64, dense 64, dropout 0.3",
        lesson: "More layers with small filters see larger patterns, and take longer.",
    },
    ReadyMade {
        name: "Residual",
        text: "conv 16 none, batchnorm relu, pool, residual 32, pool, residual 48, globalpool",
        lesson: "Batch norm keeps the values in range, and a shortcut lets the gradient pass by two convolutions: what made networks of a hundred layers trainable.",
    },
    ReadyMade {
        name: "Wide residual",
        text: "conv 24 none, batchnorm relu, pool, residual 48, pool, residual 64, globalpool",
        lesson: "The same with more filters, for the highest accuracy: twice the work for a few more images in ten thousand.",
    },
];
