//! Every path that a source file mentions, with the line that mentions it.
//!
//! Paths are resolved through the file's own `use` declarations, also in macro arguments. Names that come
//! from macro expansion or a glob are not resolved; only the import itself is checked.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit::Visit;

/// A source file by its path from the project's root.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A path in a source file, with its imports resolved: `["crate", "journal", "Epoch"]`.
pub(crate) struct Reference {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    /// Whether it is in a module of unit tests.
    pub(crate) is_in_test: bool,
}

impl Reference {
    pub(crate) fn is_below(&self, prefix: &[&str]) -> bool {
        self.segments.len() >= prefix.len()
            && self
                .segments
                .iter()
                .zip(prefix)
                .all(|(segment, wanted)| segment == wanted)
    }
}

/// Collects the paths and the imported names of a file.
struct Collector {
    module: Vec<String>,
    is_in_test: bool,
    imports: BTreeMap<String, Vec<String>>,
    found: Vec<Found>,
}

/// A path as written, with its line and module.
struct Found {
    line: usize,
    module: Vec<String>,
    segments: Vec<String>,
    is_in_test: bool,
}

impl Collector {
    fn record(&mut self, span: Span, segments: Vec<String>) {
        self.found.push(Found {
            line: span.start().line,
            module: self.module.clone(),
            segments,
            is_in_test: self.is_in_test,
        });
    }

    fn record_use(&mut self, tree: &syn::UseTree, prefix: &[String]) {
        let joined = |ident: &syn::Ident| [prefix, &[ident.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.record_use(&path.tree, &joined(&path.ident)),
            syn::UseTree::Group(group) => {
                group
                    .items
                    .iter()
                    .for_each(|tree| self.record_use(tree, prefix));
            }
            syn::UseTree::Glob(glob) => {
                let segments = [prefix, &["*".to_owned()]].concat();
                self.record(glob.star_token.spans[0], segments);
            }
            syn::UseTree::Name(name) => self.record_import(&name.ident, &name.ident, prefix),
            syn::UseTree::Rename(rename) => {
                self.record_import(&rename.ident, &rename.rename, prefix);
            }
        }
    }

    fn record_import(&mut self, ident: &syn::Ident, name: &syn::Ident, prefix: &[String]) {
        let mut segments = prefix.to_vec();
        if ident != "self" {
            segments.push(ident.to_string());
        }
        let name = if name == "self" {
            segments.last().cloned().unwrap_or_default()
        } else {
            name.to_string()
        };
        let absolute = absolute(&self.module, segments.clone());
        self.imports.insert(name, absolute);
        self.record(ident.span(), segments);
    }

    /// Finds `a::b::c` in tokens that are not parsed: the arguments of macros.
    fn record_tokens(&mut self, tokens: TokenStream) {
        let mut path: Option<(Span, Vec<String>)> = None;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    match &mut path {
                        Some((_, segments)) if colons == 2 => segments.push(ident.to_string()),
                        Some(_) | None => {
                            self.record_ended(path.take());
                            path = Some((ident.span(), vec![ident.to_string()]));
                        }
                    }
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.record_ended(path.take());
                    self.record_tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.record_ended(path.take()),
            }
        }
        self.record_ended(path);
    }

    fn record_ended(&mut self, path: Option<(Span, Vec<String>)>) {
        if let Some((span, segments)) = path {
            self.record(span, segments);
        }
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let was_in_test = self.is_in_test;
        self.is_in_test |= item.attrs.iter().any(is_cfg_test);
        self.module.push(item.ident.to_string());
        syn::visit::visit_item_mod(self, item);
        self.module.pop();
        self.is_in_test = was_in_test;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.record_use(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if let Some(first) = path.segments.first() {
            self.record(first.ident.span(), segments);
        }
        syn::visit::visit_path(self, path);
    }

    /// A read of the field `state`, of anything but `self`, is recorded as the path [`STATE_FIELD`].
    fn visit_expr_field(&mut self, read: &'ast syn::ExprField) {
        let is_of_self = matches!(&*read.base, syn::Expr::Path(base) if base.path.is_ident("self"));
        if let syn::Member::Named(field) = &read.member
            && field == "state"
            && !is_of_self
        {
            self.record(field.span(), vec![STATE_FIELD.to_owned()]);
        }
        syn::visit::visit_expr_field(self, read);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.record_tokens(item.tokens.clone());
        syn::visit::visit_macro(self, item);
    }
}

/// Represents a read of a field `state`, which is that of delivery's view.
pub(crate) const STATE_FIELD: &str = "view.state";

fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    let condition = attribute.parse_args::<syn::Ident>();
    attribute.path().is_ident("cfg") && condition.is_ok_and(|condition| condition == "test")
}

/// Replaces `self`, `super` and the library's own name by the path from `crate` on.
fn absolute(module: &[String], segments: Vec<String>) -> Vec<String> {
    let mut base = module.to_vec();
    let mut rest = segments.as_slice();
    match rest.first().map(String::as_str) {
        Some("cluecast") => {
            base.clear();
            rest = &rest[1..];
        }
        Some("self") => rest = &rest[1..],
        Some("super") => {
            while let Some(("super", below)) = rest.split_first().map(|(f, r)| (f.as_str(), r)) {
                base.pop();
                rest = below;
            }
        }
        Some(_) | None => return segments,
    }
    [&["crate".to_owned()], base.as_slice(), rest].concat()
}

/// The module that a file below `src/` is, as segments from the crate's root on.
pub(crate) fn module_of(path: &str) -> Vec<String> {
    let below = path.split_once("src/").map_or(path, |(_, below)| below);
    let mut segments: Vec<String> = below
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if matches!(
        segments.last().map(String::as_str),
        Some("mod" | "lib" | "main")
    ) {
        segments.pop();
    }
    segments
}

pub(crate) fn references(source: &Source) -> Vec<Reference> {
    let file = syn::parse_file(&source.text)
        .unwrap_or_else(|error| panic!("{} does not parse: {error}", source.path));
    let mut collector = Collector {
        module: module_of(&source.path),
        is_in_test: source.path.ends_with("/tests.rs"),
        imports: BTreeMap::new(),
        found: Vec::new(),
    };
    collector.visit_file(&file);
    let Collector { imports, found, .. } = collector;
    let resolve = |found: Found| {
        let mut segments = absolute(&found.module, found.segments);
        if let Some(imported) = segments.first().and_then(|first| imports.get(first)) {
            segments = [imported.as_slice(), &segments[1..]].concat();
        }
        Reference {
            line: found.line,
            segments,
            is_in_test: found.is_in_test,
        }
    };
    found.into_iter().map(resolve).collect()
}
