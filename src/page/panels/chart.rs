//! What all charts share.

use inkling_core::charts::{Scheme, Theme};

use crate::page::dom;

/// The visitor's colour scheme.
pub fn scheme() -> Scheme {
    if dom::matches_media("(prefers-color-scheme: dark)") { Scheme::Dark } else { Scheme::Light }
}

/// The colours of the charts in the visitor's colour scheme.
pub fn theme() -> Theme {
    scheme().theme()
}
