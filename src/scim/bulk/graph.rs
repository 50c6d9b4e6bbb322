//! Graphs of what waits for what.

/// Nodes that wait for others.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// Those that wait for this one.
    after: Vec<usize>,
    /// For how many this one waits.
    waits_for: usize,
}

impl Graph {
    /// Nodes without edges.
    pub(super) fn new(nodes: usize) -> Self {
        Self { nodes: std::iter::repeat_with(Node::default).take(nodes).collect() }
    }

    /// Makes `second` wait for `first`.
    pub(super) fn edge(&mut self, first: usize, second: usize) {
        if let Some(node) = self.nodes.get_mut(second) {
            node.waits_for += 1;
        }
        if let Some(node) = self.nodes.get_mut(first) {
            node.after.push(second);
        }
    }

    /// A node that is reached when all of these are: through it, many can wait for many by few edges.
    pub(super) fn gate(&mut self, members: &[usize]) -> usize {
        if let [only] = members {
            return *only;
        }
        let gate = self.nodes.len();
        self.nodes.push(Node::default());
        for member in members {
            self.edge(*member, gate);
        }
        gate
    }

    /// Whether a node waits for nothing any more.
    pub(super) fn is_free(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|node| node.waits_for == 0)
    }

    /// Notes that a node is done, and returns those that wait for nothing any more. Gates among them are done at once: `is_gate`
    /// tells which they are.
    pub(super) fn done(&mut self, node: usize, is_gate: impl Fn(usize) -> bool) -> Vec<usize> {
        let (mut done, mut free) = (vec![node], Vec::new());
        while let Some(node) = done.pop() {
            let after = self.nodes.get_mut(node).map(|node| std::mem::take(&mut node.after)).unwrap_or_default();
            for next in after {
                let Some(node) = self.nodes.get_mut(next) else { continue };
                node.waits_for = node.waits_for.saturating_sub(1);
                if node.waits_for == 0 {
                    if is_gate(next) { done.push(next) } else { free.push(next) }
                }
            }
        }
        free
    }
}

/// A node of a graph that is being cut into components.
#[derive(Clone, Default)]
struct Visit {
    /// When it was found, from 1; 0 if it was not.
    found: usize,
    /// When the earliest was found that it leads back to.
    low: usize,
    /// Not yet in a component.
    open: bool,
}

fn lower(visit: Option<&mut Visit>, low: usize) {
    if let Some(visit) = visit {
        visit.low = visit.low.min(low);
    }
}

/// The strongly connected components of a graph (Tarjan's algorithm, without recursion: a client can make a chain as long as its
/// request). Each comes after those its edges lead to, otherwise in the order of the nodes; within one, the nodes are in order.
pub(super) fn components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut visits = vec![Visit::default(); edges.len()];
    let (mut found, mut open, mut out) = (0, Vec::new(), Vec::new());
    for root in 0..edges.len() {
        // The way down from the root: nodes, each with the number of its edges already followed.
        let mut way = vec![(root, 0)];
        while let Some((node, followed)) = way.last_mut() {
            let node = *node;
            let Some(visit) = visits.get_mut(node) else { break };
            if *followed == 0 {
                if visit.found != 0 {
                    // A root that was reached from another.
                    break;
                }
                found += 1;
                *visit = Visit { found, low: found, open: true };
                open.push(node);
            }
            let next = edges.get(node).and_then(|edges| edges.get(*followed)).copied();
            *followed += 1;
            if let Some(next) = next {
                let Some(ahead) = visits.get(next).cloned() else { continue };
                if ahead.found == 0 {
                    way.push((next, 0));
                } else if ahead.open {
                    lower(visits.get_mut(node), ahead.found);
                }
                continue;
            }
            let Visit { found, low, .. } = *visit;
            if low == found {
                let from = open.iter().rposition(|member| *member == node).unwrap_or(open.len());
                let mut component = open.split_off(from);
                for member in &component {
                    if let Some(visit) = visits.get_mut(*member) {
                        visit.open = false;
                    }
                }
                component.sort_unstable();
                out.push(component);
            }
            way.pop();
            lower(way.last().and_then(|(parent, _)| visits.get_mut(*parent)), low);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn components_come_after_what_they_lead_to() {
        assert_eq!(components(&[vec![], vec![], vec![]]), [[0], [1], [2]]);
        assert_eq!(components(&[vec![2], vec![], vec![1]]), [[1], [2], [0]]);
        assert_eq!(components(&[vec![0], vec![3], vec![1], vec![2, 0]]), [vec![0], vec![1, 2, 3]]);
        let chain: Vec<Vec<usize>> = (1..=100_000).map(|n| if n < 100_000 { vec![n] } else { vec![] }).collect();
        assert_eq!(components(&chain).first(), Some(&vec![99_999]));
    }

    #[test]
    fn many_wait_for_many_through_a_gate() {
        let mut graph = Graph::new(4);
        let gate = graph.gate(&[0, 1]);
        graph.edge(gate, 2);
        graph.edge(gate, 3);
        let is_gate = |node| node >= 4;
        assert!(graph.is_free(0) && !graph.is_free(2));
        assert!(graph.done(0, is_gate).is_empty());
        assert_eq!(graph.done(1, is_gate), [2, 3]);
        assert_eq!(graph.gate(&[1]), 1);
    }

    proptest! {
        #[test]
        fn components_are_those_that_reach_each_other(edges in prop::collection::vec(prop::collection::vec(0usize..8, 0..4), 8)) {
            // Reachability by squaring, to compare with.
            let mut reach = [[false; 8]; 8];
            for (from, to) in edges.iter().enumerate() {
                for to in to {
                    reach[from][*to] = true;
                }
            }
            for via in 0..8 {
                for from in 0..8 {
                    for to in 0..8 {
                        reach[from][to] |= reach[from][via] && reach[via][to];
                    }
                }
            }
            let components = components(&edges);
            let mut place = [usize::MAX; 8];
            for (n, component) in components.iter().enumerate() {
                for node in component {
                    place[*node] = n;
                }
            }
            for from in 0..8 {
                for to in 0..8 {
                    let together = from == to || reach[from][to] && reach[to][from];
                    prop_assert_eq!(place[from] == place[to], together);
                    prop_assert!(!reach[from][to] || place[to] <= place[from]);
                }
            }
        }
    }
}
