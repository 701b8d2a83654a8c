//! The kernels against Burn's own operations. The same checks run in the browser, where they are other instructions.
#![allow(clippy::unwrap_used)] // a test that fails here says where
#![cfg(all(not(target_arch = "wasm32"), feature = "cpu"))]

#[path = "common/kernels.rs"]
mod kernels;

use pollster::block_on;

#[test]
fn whole_numbers_give_the_very_same_results() {
    block_on(kernels::whole_numbers_give_the_very_same_results(60));
}

#[test]
fn real_numbers_agree_within_rounding() {
    block_on(kernels::real_numbers_agree_within_rounding(60));
}

#[test]
fn other_shapes_are_right_too() {
    block_on(kernels::other_shapes_are_right_too());
}

#[test]
fn what_is_not_finite_comes_out_where_burn_has_it() {
    block_on(kernels::what_is_not_finite_comes_out_where_burn_has_it(40));
}

#[test]
fn dead_windows_and_ties_are_burns() {
    block_on(kernels::dead_windows_and_ties_are_burns());
}

#[test]
fn every_output_is_written() {
    kernels::every_output_is_written();
}
