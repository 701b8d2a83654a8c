//! Compares the kernels with Burn's own operations. The same checks run in the browser, where the kernels compile to
//! different instructions.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(all(not(target_arch = "wasm32"), feature = "cpu"))]

#[path = "common/kernels.rs"]
mod kernels;

use pollster::block_on;

#[test]
fn whole_numbers_give_exactly_the_same_results() {
    block_on(kernels::whole_numbers_give_exactly_the_same_results(60));
}

#[test]
fn real_numbers_agree_within_rounding() {
    block_on(kernels::real_numbers_agree_within_rounding(60));
}

#[test]
fn other_shapes_give_correct_results_too() {
    block_on(kernels::other_shapes_give_correct_results_too());
}

#[test]
fn convolutions_of_any_size_agree_with_burns() {
    block_on(kernels::convolutions_of_any_size_agree_with_burns(120));
}

#[test]
fn dense_layers_of_any_size_agree_with_burns() {
    block_on(kernels::dense_layers_of_any_size_agree_with_burns(150));
}

#[test]
fn the_logarithm_of_softmax_agrees_with_burns() {
    block_on(kernels::the_logarithm_of_softmax_agrees_with_burns(60));
}

#[test]
fn the_logarithm_of_softmax_has_the_same_bits_everywhere() {
    block_on(kernels::the_logarithm_of_softmax_has_the_same_bits_everywhere());
}

#[test]
fn non_finite_values_come_out_where_burn_has_them() {
    block_on(kernels::non_finite_values_come_out_where_burn_has_them(40));
}

#[test]
fn dead_windows_and_ties_behave_as_in_burn() {
    block_on(kernels::dead_windows_and_ties_behave_as_in_burn());
}

#[test]
fn every_output_is_written() {
    kernels::every_output_is_written();
}
