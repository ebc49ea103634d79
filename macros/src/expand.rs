//! From an `async fn` to a function that runs it on a runtime.
//!
//! The function is kept whole, as an inner `async fn`. The alternative, moving its body into an `async` block, loses the
//! declared return type: `?` then needs annotations and errors point at the attribute.

use std::mem;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{AttrStyle, Attribute, ItemFn, Signature, parse_quote};

use crate::options::{Options, Procs, at};

/// Which attribute is expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    Main,
    Test,
}

impl Entry {
    const fn name(self) -> &'static str {
        match self {
            Self::Main => "#[tidemill::main]",
            Self::Test => "#[tidemill::test]",
        }
    }

    /// A program takes what the machine gives; a test takes one P, the cheapest to start.
    const fn default_procs(self) -> Procs {
        match self {
            Self::Main => Procs::Auto,
            Self::Test => Procs::Fixed(1),
        }
    }

    fn attribute(self) -> Option<Attribute> {
        (self == Self::Test).then(|| parse_quote!(#[::core::prelude::v1::test]))
    }
}

/// Expands an attribute: to the running function, or to the faults and as much of the function as avoids further ones.
pub(crate) fn expand(entry: Entry, options: TokenStream, function: TokenStream) -> TokenStream {
    let function: ItemFn = match syn::parse2(function) {
        Ok(function) => function,
        Err(fault) => return fault.into_compile_error(),
    };
    if let Err(fault) = check(entry, &function) {
        return with_fault(&fault, &placeholder(function));
    }
    match Options::parse(options) {
        Ok(options) => runner(entry, &options, function),
        Err(fault) => with_fault(&fault, &runner(entry, &Options::default(), function)),
    }
}

/// # Errors
/// The function cannot be run by itself.
fn check(entry: Entry, function: &ItemFn) -> syn::Result<()> {
    let Signature { asyncness, fn_token, inputs, generics, .. } = &function.sig;
    let name = entry.name();
    if asyncness.is_none() {
        return Err(at(fn_token, format_args!("{name} needs an `async fn`")));
    }
    if !inputs.is_empty() {
        return Err(at(inputs, format_args!("{name} runs a function without arguments")));
    }
    if !generics.params.is_empty() {
        return Err(at(generics, format_args!("{name} runs a function without generic parameters")));
    }
    match function.attrs.iter().find(|attr| attr.path().is_ident("test")) {
        Some(test) if entry == Entry::Test => Err(at(test, format_args!("{name} already makes this a test"))),
        _ => Ok(()),
    }
}

/// The function that builds the runtime, around the one that was written.
fn runner(entry: Entry, options: &Options, mut inner: ItemFn) -> TokenStream {
    let (outer_attrs, inner_attrs): (Vec<_>, Vec<_>) =
        mem::take(&mut inner.attrs).into_iter().partition(|attr| matches!(attr.style, AttrStyle::Outer));
    inner.attrs = inner_attrs;
    let vis = mem::replace(&mut inner.vis, syn::Visibility::Inherited);
    let test = entry.attribute();
    let Signature { ident, output, .. } = &inner.sig;
    let builder = builder(entry, options);
    quote! {
        #test
        #(#outer_attrs)*
        #vis fn #ident() #output {
            #inner
            match #builder.build() {
                ::core::result::Result::Ok(runtime) => runtime.block_on(#ident()),
                ::core::result::Result::Err(error) => {
                    ::core::panic!("the tidemill runtime could not be built: {error}")
                }
            }
        }
    }
}

fn builder(entry: Entry, options: &Options) -> TokenStream {
    let krate = options.krate();
    let procs = options.procs.unwrap_or(entry.default_procs()).to_expr(&krate);
    let max_threads = options.max_threads.map(|n| quote!(.max_threads(#n)));
    quote!(#krate::Runtime::builder().procs(#procs) #max_threads)
}

fn with_fault(fault: &syn::Error, rest: &TokenStream) -> TokenStream {
    let fault = fault.to_compile_error();
    quote!(#fault #rest)
}

/// A function of the same name that never returns, so that the name is found and nothing else is complained about.
fn placeholder(function: ItemFn) -> TokenStream {
    let ItemFn { vis, sig: Signature { ident, output, .. }, .. } = function;
    quote!(#vis fn #ident() #output { ::core::unreachable!() })
}

#[cfg(test)]
mod tests;
