//! Settings that are one of a few words.

use serde::{Deserialize, Serialize};

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
        /// The visitor's own IDX files.
        Own = "own",
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
