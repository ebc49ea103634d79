//! The options in the parentheses of an attribute, checked.

use std::fmt::Display;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Lit, LitInt, Path, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

/// The value of `procs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Procs {
    Auto,
    Fixed(usize),
}

/// Checked options. `None` leaves the choice to whoever reads them.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) procs: Option<Procs>,
    pub(crate) max_threads: Option<usize>,
    krate: Option<Path>,
}

impl Options {
    /// Parses `name = value, ..`.
    ///
    /// # Errors
    /// Every fault of the list at once, each at its own place.
    pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        let list = Punctuated::<Setting, Token![,]>::parse_terminated.parse2(tokens)?;
        let mut options = Self::default();
        let mut faults: Option<syn::Error> = None;
        for fault in list.into_iter().filter_map(|setting| options.set(setting).err()) {
            match &mut faults {
                Some(faults) => faults.combine(fault),
                None => faults = Some(fault),
            }
        }
        faults.map_or(Ok(options), Err)
    }

    /// Where tidemill is found from the caller's crate.
    pub(crate) fn krate(&self) -> TokenStream {
        self.krate.as_ref().map_or(quote!(::tidemill), ToTokens::to_token_stream)
    }

    fn set(&mut self, Setting { name, value }: Setting) -> syn::Result<()> {
        match name.to_string().as_str() {
            "procs" => once(&mut self.procs, &name, procs(&value)?),
            "max_threads" => once(&mut self.max_threads, &name, at_least_one(&name, &value)?),
            "crate" => once(&mut self.krate, &name, path(&value)?),
            _ => Err(at(&name, format_args!("unknown option `{name}`; there are `procs`, `max_threads` and `crate`"))),
        }
    }
}

/// One `name = value`.
struct Setting {
    name: Ident,
    value: Lit,
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        // `crate` is a keyword, hence any identifier.
        let name = input.call(Ident::parse_any)?;
        if !input.peek(Token![=]) {
            return Err(at(&name, format_args!("`{name}` needs a value: `{name} = ..`")));
        }
        input.parse::<Token![=]>()?;
        Ok(Self { name, value: input.parse()? })
    }
}

fn once<T>(slot: &mut Option<T>, name: &Ident, value: T) -> syn::Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(at(name, format_args!("`{name}` is given twice"))),
    }
}

fn procs(value: &Lit) -> syn::Result<Procs> {
    match value {
        Lit::Str(text) if text.value() == "auto" => Ok(Procs::Auto),
        Lit::Int(number) => positive("procs", number).map(Procs::Fixed),
        other => Err(at(other, "`procs` is a number or \"auto\"")),
    }
}

fn at_least_one(name: &Ident, value: &Lit) -> syn::Result<usize> {
    match value {
        Lit::Int(number) => positive(name, number),
        other => Err(at(other, format_args!("`{name}` is a number"))),
    }
}

fn positive(name: impl Display, number: &LitInt) -> syn::Result<usize> {
    match number.base10_parse()? {
        0 => Err(at(number, format_args!("`{name}` must be at least 1"))),
        n => Ok(n),
    }
}

fn path(value: &Lit) -> syn::Result<Path> {
    match value {
        Lit::Str(text) => {
            text.parse_with(Path::parse_mod_style).map_err(|_| at(text, "`crate` is a path, such as \"my::tidemill\""))
        }
        other => Err(at(other, "`crate` is a path in quotes, such as \"my::tidemill\"")),
    }
}

/// An error at the place of `tokens`.
pub(crate) fn at(tokens: impl ToTokens, message: impl Display) -> syn::Error {
    syn::Error::new_spanned(tokens, message)
}

impl Procs {
    /// The expression of this value, given where tidemill is found.
    pub(crate) fn to_expr(self, krate: &TokenStream) -> TokenStream {
        match self {
            Self::Auto => quote!(#krate::Procs::Auto),
            Self::Fixed(n) => quote!(#krate::Procs::Fixed(#n)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(text: &str) -> syn::Result<Options> {
        Options::parse(text.parse().unwrap())
    }

    #[test]
    fn good_options() {
        for (text, procs, max_threads) in [
            ("", None, None),
            ("procs = 4", Some(Procs::Fixed(4)), None),
            ("procs = \"auto\",", Some(Procs::Auto), None),
            ("max_threads = 0x40, procs = 2usize", Some(Procs::Fixed(2)), Some(64)),
        ] {
            let options = parse(text).unwrap();
            assert_eq!((options.procs, options.max_threads), (procs, max_threads), "{text}");
        }
    }

    #[test]
    fn the_crate_is_tidemill_unless_renamed() {
        for (text, expected) in [("", "::tidemill"), (r#"crate = "a::b""#, "a :: b"), (r#"crate = "crate""#, "crate")] {
            let krate = parse(text).unwrap().krate().to_string();
            assert_eq!(krate.replace(' ', ""), expected.replace(' ', ""), "{text}");
        }
    }

    #[test]
    fn every_fault_has_a_text_and_a_place() {
        for (text, message, place) in [
            ("procs = 0", "`procs` must be at least 1", "0"),
            ("max_threads = 0", "`max_threads` must be at least 1", "0"),
            ("procs = \"many\"", "`procs` is a number or \"auto\"", "\"many\""),
            ("max_threads = \"9\"", "`max_threads` is a number", "\"9\""),
            ("threads = 2", "unknown option `threads`; there are `procs`, `max_threads` and `crate`", "threads"),
            ("procs", "`procs` needs a value: `procs = ..`", "procs"),
            ("procs = 1, procs = 2", "`procs` is given twice", "procs"),
            ("crate = \"a b\"", "`crate` is a path, such as \"my::tidemill\"", "\"a b\""),
            ("crate = 3", "`crate` is a path in quotes, such as \"my::tidemill\"", "3"),
        ] {
            let fault = parse(text).err().unwrap();
            assert_eq!(fault.to_string(), message, "{text}");
            assert_eq!(fault.span().source_text().unwrap(), place, "{text}");
        }
    }

    #[test]
    fn faults_are_reported_together() {
        let faults = parse("procs = 0, threads = 2").err().unwrap();
        let texts: Vec<_> = faults.into_iter().map(|fault| fault.to_string()).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
    }

    #[test]
    fn a_number_too_large_is_a_fault() {
        assert!(parse("procs = 99999999999999999999999").is_err());
    }
}
