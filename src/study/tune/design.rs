//! Which points of a space are candidates: all of them, or a Latin hypercube.
//!
//! A Latin hypercube of n points (McKay, Beckman and Conover 1979) shuffles, for each knob on its own, n places that are
//! shared out evenly among its values: every value is tried equally often, give or take one, whatever the number of knobs.

use std::collections::BTreeSet;

use rand::RngExt;
use rand_xoshiro::rand_core::SeedableRng;

use crate::seed::Stream;

use super::space::{Method, Space};

/// The candidates, each as the place of its value in each knob.
pub fn candidates(space: &Space) -> Vec<Vec<usize>> {
    let sizes: Vec<usize> = space.knobs.iter().map(|knob| knob.values.len()).collect();
    match space.method {
        Method::Grid => grid(&sizes),
        Method::LatinHypercube => latin_hypercube(&sizes, space.candidates as usize, space.seed),
    }
}

/// Every combination; the last knob turns fastest.
fn grid(sizes: &[usize]) -> Vec<Vec<usize>> {
    sizes.iter().fold(vec![Vec::new()], |points, size| {
        let each = |point: Vec<usize>| {
            (0..*size).map(move |level| {
                let mut point = point.clone();
                point.push(level);
                point
            })
        };
        points.into_iter().flat_map(each).collect()
    })
}

/// `count` different points. Where places coincide, which few values make likely, the next hypercube fills in.
fn latin_hypercube(sizes: &[usize], count: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut draws = Stream::seed_from_u64(seed);
    let mut seen = BTreeSet::new();
    let mut points = Vec::new();
    while points.len() < count {
        let columns: Vec<Vec<usize>> = sizes
            .iter()
            .map(|size| {
                let mut places: Vec<usize> = (0..count).collect();
                for last in (1..count).rev() {
                    places.swap(last, draws.random_range(0..=last));
                }
                places.iter().map(|place| place * size / count).collect()
            })
            .collect();
        for row in 0..count {
            let point: Vec<usize> = columns.iter().map(|column| column[row]).collect();
            if points.len() < count && seen.insert(point.clone()) {
                points.push(point);
            }
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_every_combination_once() {
        let points = grid(&[2, 3]);
        assert_eq!(
            points,
            [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]].map(Vec::from)
        );
    }

    #[test]
    fn a_hypercube_tries_every_value_equally_often_and_no_point_twice() {
        let sizes = [4, 5, 10, 7];
        let points = latin_hypercube(&sizes, 140, 3);
        let different: BTreeSet<_> = points.iter().collect();
        assert_eq!(different.len(), 140);
        for (knob, size) in sizes.into_iter().enumerate() {
            for level in 0..size {
                let count = points.iter().filter(|point| point[knob] == level).count();
                let fair = 140 / size;
                // Points that coincided were filled in from a second hypercube.
                assert!(
                    count.abs_diff(fair) <= 4,
                    "knob {knob} level {level}: {count}"
                );
            }
        }
        assert_eq!(points, latin_hypercube(&sizes, 140, 3));
        assert_ne!(points, latin_hypercube(&sizes, 140, 4));
    }

    #[test]
    fn a_space_as_small_as_the_sample_is_tried_whole() {
        assert_eq!(latin_hypercube(&[2, 3], 6, 1).len(), 6);
    }
}
