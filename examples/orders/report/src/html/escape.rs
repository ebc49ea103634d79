//! Putting foreign text into a page.

/// Text for an element or a quoted attribute.
pub(super) fn text(raw: &str) -> String {
    raw.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An SVG as a `data:` address. A frame that shows it keeps the picture's script and ids to itself.
pub(super) fn data_url(svg: &str) -> String {
    let mut url = String::with_capacity(svg.len() + svg.len() / 4);
    url.push_str("data:image/svg+xml;charset=utf-8,");
    for c in svg.chars() {
        match c {
            '%' => url.push_str("%25"),
            '#' => url.push_str("%23"),
            '"' => url.push_str("%22"),
            '&' => url.push_str("%26"),
            '<' => url.push_str("%3C"),
            '>' => url.push_str("%3E"),
            // Browsers drop raw line ends from an address, which would break the picture's script.
            '\n' => url.push_str("%0A"),
            '\r' => url.push_str("%0D"),
            '\t' => url.push_str("%09"),
            other => url.push(other),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_becomes_markup() {
        assert_eq!(text("<b a=\"&\">"), "&lt;b a=&quot;&amp;&quot;&gt;");
    }

    #[test]
    fn an_address_holds_no_delimiter() {
        let url = data_url("<svg a=\"#1\">100% &amp;\n</svg>");
        let (_, data) = url.split_once(',').unwrap_or_default();
        assert_eq!(data, "%3Csvg a=%22%231%22%3E100%25 %26amp;%0A%3C/svg%3E");
    }
}
