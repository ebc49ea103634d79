//! What the attributes expand to, and what they refuse.
#![allow(clippy::unwrap_used)]

use quote::ToTokens;

use super::*;

fn expanded(entry: Entry, options: &str, function: &str) -> String {
    expand(entry, options.parse().unwrap(), function.parse().unwrap()).to_string()
}

/// The single function of an expansion without faults.
fn function(entry: Entry, options: &str, function: &str) -> ItemFn {
    syn::parse_str(&expanded(entry, options, function)).unwrap()
}

#[test]
fn main_keeps_visibility_return_type_and_attributes() {
    let main = function(Entry::Main, "", "#[allow(dead_code)] pub async fn main() -> Result<(), Fault> { Ok(()) }");
    let outside = quote!(#[allow(dead_code)] pub fn main() -> Result<(), Fault>).to_string();
    assert!(main.to_token_stream().to_string().starts_with(&outside), "{}", main.to_token_stream());
}

#[test]
fn the_written_function_stands_whole_inside() {
    let main = function(Entry::Main, "", "async fn main() -> u8 { #![allow(unused)] work().await?; 7 }");
    let inside = quote!(
        async fn main() -> u8 {
            #![allow(unused)]
            work().await?;
            7
        }
    );
    assert_eq!(main.block.stmts[0].to_token_stream().to_string(), inside.to_string());
}

#[test]
fn options_reach_the_builder() {
    let renamed =
        quote!(my::mill::Runtime::builder().procs(my::mill::Procs::Fixed(2usize)).max_threads(9usize).build());
    let auto = quote!(::tidemill::Runtime::builder().procs(::tidemill::Procs::Auto).build());
    let one = quote!(::tidemill::Runtime::builder().procs(::tidemill::Procs::Fixed(1usize)).build());
    for (entry, options, expected) in [
        (Entry::Main, "", &auto),
        (Entry::Test, "", &one),
        (Entry::Test, "procs = \"auto\"", &auto),
        (Entry::Main, "procs = 1", &one),
        (Entry::Main, "max_threads = 9, procs = 2, crate = \"my::mill\"", &renamed),
    ] {
        let text = expanded(entry, options, "async fn main() {}");
        assert!(text.contains(&expected.to_string()), "{entry:?} {options}: {text}");
    }
}

#[test]
fn a_test_is_a_test_and_keeps_its_attributes() {
    let test = function(Entry::Test, "", "#[should_panic] #[ignore = \"slow\"] async fn fails() {}");
    let attrs: Vec<_> = test.attrs.iter().map(|attr| attr.to_token_stream().to_string()).collect();
    let expected = [quote!(#[::core::prelude::v1::test]), quote!(#[should_panic]), quote!(#[ignore = "slow"])];
    assert_eq!(attrs, expected.map(|attr| attr.to_string()));
}

#[test]
fn faults_of_the_function() {
    for (entry, written, message) in [
        (Entry::Main, "fn main() {}", "#[tidemill::main] needs an `async fn`"),
        (Entry::Test, "fn t() {}", "#[tidemill::test] needs an `async fn`"),
        (Entry::Main, "async fn main(n: u8) {}", "#[tidemill::main] runs a function without arguments"),
        (Entry::Test, "async fn t<T>() {}", "#[tidemill::test] runs a function without generic parameters"),
        (Entry::Test, "#[test] async fn t() {}", "#[tidemill::test] already makes this a test"),
    ] {
        let text = expanded(entry, "", written);
        assert!(text.contains(&format!("{message:?}")), "{written}: {text}");
        assert!(text.contains("unreachable"), "the name is still defined: {text}");
    }
}

#[test]
fn faults_point_at_the_place() {
    for (written, place) in
        [("fn main() {}", "fn"), ("async fn main(n: u8) {}", "n: u8"), ("async fn main<T>() {}", "<T>")]
    {
        let function = syn::parse_str(written).unwrap();
        let fault = check(Entry::Main, &function).unwrap_err();
        assert_eq!(fault.span().source_text().unwrap(), place, "{written}");
    }
}

#[test]
fn a_bad_option_leaves_a_running_function() {
    let text = expanded(Entry::Main, "procs = 0", "async fn main() {}");
    assert!(text.contains("must be at least 1") && text.contains("block_on"), "{text}");
}

#[test]
fn something_else_than_a_function_is_a_fault() {
    assert!(expanded(Entry::Main, "", "struct Main;").contains("compile_error"));
}
