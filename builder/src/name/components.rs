//! Strongly connected components (Tarjan 1972), without recursion: chains of imports are as long as they like.

/// The components of a graph given as lists of neighbours; each comes after all that it points to, with its members
/// in ascending order.
pub(super) fn components(neighbours: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = Search {
        neighbours,
        index: vec![None; neighbours.len()],
        lowest: vec![0; neighbours.len()],
        waiting: vec![false; neighbours.len()],
        stack: Vec::new(),
        visited: 0,
        found: Vec::new(),
    };
    for start in 0..neighbours.len() {
        if search.index[start].is_none() {
            search.from(start);
        }
    }
    search.found
}

struct Search<'a> {
    neighbours: &'a [Vec<usize>],
    index: Vec<Option<usize>>,
    lowest: Vec<usize>,
    /// Whether it is on `stack`.
    waiting: Vec<bool>,
    stack: Vec<usize>,
    visited: usize,
    found: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn from(&mut self, start: usize) {
        // Each with the number of neighbours that have been followed.
        let mut path = vec![(start, 0)];
        self.enter(start);
        while let Some((node, followed)) = path.last_mut() {
            let node = *node;
            if let Some(&next) = self.neighbours[node].get(*followed) {
                *followed += 1;
                match self.index[next] {
                    None => {
                        self.enter(next);
                        path.push((next, 0));
                    }
                    Some(index) if self.waiting[next] => self.lowest[node] = self.lowest[node].min(index),
                    Some(_) => {}
                }
            } else {
                path.pop();
                if let Some(&(parent, _)) = path.last() {
                    self.lowest[parent] = self.lowest[parent].min(self.lowest[node]);
                }
                if self.index[node] == Some(self.lowest[node]) {
                    self.close(node);
                }
            }
        }
    }

    fn enter(&mut self, node: usize) {
        self.index[node] = Some(self.visited);
        self.lowest[node] = self.visited;
        self.visited += 1;
        self.waiting[node] = true;
        self.stack.push(node);
    }

    fn close(&mut self, root: usize) {
        let at = self.stack.iter().rposition(|&node| node == root).unwrap_or(0);
        let mut component = self.stack.split_off(at);
        for &node in &component {
            self.waiting[node] = false;
        }
        component.sort_unstable();
        self.found.push(component);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(neighbours: &[&[usize]], expected: &[&[usize]]) {
        let neighbours: Vec<Vec<usize>> = neighbours.iter().map(|list| list.to_vec()).collect();
        assert_eq!(components(&neighbours), expected);
    }

    #[test]
    fn leaves_come_first_and_circles_together() {
        check(&[], &[]);
        check(&[&[1], &[2], &[]], &[&[2], &[1], &[0]]);
        check(&[&[1], &[0, 2], &[2]], &[&[2], &[0, 1]]);
        check(&[&[1, 3], &[2], &[0], &[4], &[3]], &[&[3, 4], &[0, 1, 2]]);
        check(&[&[1], &[2], &[1], &[2, 0]], &[&[1, 2], &[0], &[3]]);
    }

    #[test]
    fn a_chain_of_a_million_does_not_overflow_the_stack() {
        let chain: Vec<Vec<usize>> =
            (1..=1_000_000).map(|next| if next < 1_000_000 { vec![next] } else { Vec::new() }).collect();
        assert_eq!(components(&chain).len(), 1_000_000);
    }
}
