//! What a request may cost, checked before the cost arises.

/// Limits on what a client sends and asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Bytes of a filter.
    pub filter_length: usize,
    /// Nested parentheses, brackets and negations of a filter.
    pub filter_depth: usize,
    /// Comparisons in a filter.
    pub filter_terms: usize,
    /// Operations of a PATCH.
    pub patch_operations: usize,
    /// Operations of a bulk request.
    pub bulk_operations: usize,
    /// Bytes of a bulk request.
    pub bulk_payload: usize,
    /// Nested objects and arrays of a body.
    pub json_depth: usize,
    /// Resources of a page at most.
    pub max_results: usize,
    /// Resources of a page when the client does not say.
    pub default_results: usize,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            filter_length: 8192,
            filter_depth: 32,
            filter_terms: 256,
            patch_operations: 10_000,
            bulk_operations: 1000,
            bulk_payload: 1 << 20,
            json_depth: 32,
            max_results: 1000,
            default_results: 100,
        }
    }
}
