//! Settings that are one of a few words.

use serde::{Deserialize, Serialize};

use crate::image::DataShape;

/// An enum whose values have a name in URLs and menus.
pub(super) trait Choice: Copy + 'static {
    /// All values and their names, in the order of a menu.
    const NAMES: &'static [(Self, &'static str)];
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $key:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$value_doc])* $value,)* }

        impl $name {
            /// The name in a URL.
            pub fn key(self) -> &'static str {
                match self { $(Self::$value => $key,)* }
            }
        }

        impl Choice for $name {
            const NAMES: &'static [(Self, &'static str)] = &[$((Self::$value, $key),)*];
        }
    };
}

choice! {
    /// A data set that a run can use.
    DatasetName {
        /// The MNIST database of handwritten digits: 60,000 and 10,000 images.
        #[default]
        Mnist = "mnist",
        /// Digits drawn in the tab. Not MNIST.
        Synthetic = "synthetic",
        /// Capital letters drawn in the tab.
        Letters = "letters",
        /// Circles, squares and triangles in three colours, drawn in the tab.
        Shapes = "shapes",
        /// The visitor's own files.
        Own = "own",
    }
}

impl DatasetName {
    /// What its images look like. Those of the visitor look like `own`, or like digits as long as that is not known.
    pub fn shape(self, own: Option<DataShape>) -> DataShape {
        match self {
            Self::Mnist | Self::Synthetic => DataShape::DIGITS,
            Self::Letters => DataShape::LETTERS,
            Self::Shapes => DataShape::SHAPES,
            Self::Own => own.unwrap_or_default(),
        }
    }
}

choice! {
    /// Which backend the visitor asks for.
    BackendChoice {
        /// WebGPU where it works, else the CPU.
        #[default]
        Auto = "auto",
        /// WebGPU, or the CPU with an explanation.
        Webgpu = "webgpu",
        /// burn-flex on the CPU.
        Cpu = "cpu",
        /// burn-ndarray on the CPU: slower, for comparison.
        Ndarray = "ndarray",
        /// A server's device, through Burn's remote backend.
        Remote = "remote",
    }
}

choice! {
    /// How gradients change the weights.
    OptimizerName {
        /// Adam (Kingma, Ba 2015): each weight has its own pace.
        #[default]
        Adam = "adam",
        /// Adam with decoupled weight decay (Loshchilov, Hutter 2019).
        Adamw = "adamw",
        /// Stochastic gradient descent.
        Sgd = "sgd",
        /// Gradient descent that keeps nine tenths of its speed (Polyak 1964).
        Momentum = "momentum",
        /// The same, looking ahead (Nesterov 1983, as in Sutskever et al. 2013).
        Nesterov = "nesterov",
        /// RMSprop (Hinton 2012).
        Rmsprop = "rmsprop",
    }
}

impl OptimizerName {
    /// How many numbers it keeps for each weight.
    pub fn slots(self) -> usize {
        match self {
            Self::Sgd => 0,
            Self::Momentum | Self::Nesterov | Self::Rmsprop => 1,
            Self::Adam | Self::Adamw => 2,
        }
    }
}

choice! {
    /// How the learning rate changes during a run, after the warm-up.
    ScheduleName {
        /// Falls along half a cosine, to nearly zero.
        #[default]
        Cosine = "cosine",
        /// Stays.
        Constant = "constant",
        /// Falls to a tenth after half of the run, and to a hundredth after three quarters.
        Step = "step",
        /// Rises and falls along cosines, from a twenty-fifth to nearly nothing (Smith 2018).
        Onecycle = "onecycle",
    }
}

choice! {
    /// Which operations compute the network on the CPU.
    Kernels {
        /// Inkling's own, where they are faster.
        #[default]
        Fused = "fused",
        /// Burn's own, for comparison.
        Stock = "stock",
    }
}
