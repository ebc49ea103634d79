//! From a draft to a priced order: every text within its bounds, every product known, no sum too large.
//!
//! One text of rules for both variants; they differ only in how they look a product up.

use crate::{
    catalogue::Catalogue,
    decode::{Address, Draft, DraftLine},
    domain::{CustomerId, Line, Lines, Money, Product, Reject},
    limits,
};

/// The one currency of the shop.
const CURRENCY: &str = "EUR";

/// What the rules make of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// Who orders.
    pub customer: CustomerId,
    /// What, at which prices.
    pub lines: Lines,
    /// The sum of the lines.
    pub total: Money,
}

/// Checks a draft and prices it. No allocation for up to four lines.
///
/// # Errors
/// A [`Reject`] that names the first field that breaks a rule.
pub fn price(draft: &Draft<'_>, catalogue: &Catalogue) -> Result<Priced, Reject> {
    let customer = CustomerId::new(&draft.customer)?;
    if &*draft.currency != CURRENCY {
        return Err(Reject::invalid("currency", format!("must be {CURRENCY}")));
    }
    check_address(&draft.ship_to)?;
    if draft.note.as_ref().is_some_and(|note| note.len() > limits::NOTE_BYTES) {
        return Err(Reject::invalid("note", format!("must be at most {} bytes", limits::NOTE_BYTES)));
    }
    let (lines, total) = price_lines(&draft.lines, catalogue)?;
    Ok(Priced { customer, lines, total })
}

fn check_address(address: &Address<'_>) -> Result<(), Reject> {
    let Address { name, street, postcode, city, country } = address;
    let texts = [
        ("ship_to.name", name),
        ("ship_to.street", street),
        ("ship_to.postcode", postcode),
        ("ship_to.city", city),
        ("ship_to.country", country),
    ];
    match texts.iter().find(|(_, text)| !(1..=limits::ADDRESS_BYTES).contains(&text.len())) {
        None => Ok(()),
        Some((field, _)) => Err(Reject::invalid(*field, format!("must be 1 to {} bytes", limits::ADDRESS_BYTES))),
    }
}

fn price_lines(drafts: &[DraftLine<'_>], catalogue: &Catalogue) -> Result<(Lines, Money), Reject> {
    if drafts.is_empty() {
        return Err(Reject::invalid("lines", "must not be empty"));
    }
    let mut lines = Lines::with_capacity(drafts.len());
    let mut total = Money::ZERO;
    for (number, draft) in drafts.iter().enumerate() {
        let wrong = |(field, reason)| Reject::invalid(format!("lines[{number}].{field}"), reason);
        let line = price_line(draft, catalogue).map_err(wrong)?;
        total = add_line(total, line).ok_or_else(|| {
            let limit = Money::from_cents(limits::TOTAL_CENTS);
            wrong(("quantity", format!("takes the order above {limit} {CURRENCY}")))
        })?;
        lines.push(line);
    }
    Ok((lines, total))
}

/// A line with its price, or the field at fault and the reason.
fn price_line(draft: &DraftLine<'_>, catalogue: &Catalogue) -> Result<Line, (&'static str, String)> {
    let unknown = || ("sku", "is not in the catalogue".to_owned());
    let Product { id, price } = catalogue.get(&draft.sku).ok_or_else(unknown)?;
    if !(1..=limits::QUANTITY).contains(&draft.quantity) {
        return Err(("quantity", format!("must be 1 to {}", limits::QUANTITY)));
    }
    if draft.unit_price_cents.is_some_and(|seen| seen != price.cents()) {
        return Err(("unit_price_cents", format!("is {} now", price.cents())));
    }
    let quantity = u32::try_from(draft.quantity).expect("checked against the limit above");
    Ok(Line { product: id, quantity, unit_price: price })
}

fn add_line(total: Money, line: Line) -> Option<Money> {
    let sum = total.checked_add(line.unit_price.checked_mul(line.quantity.into())?)?;
    (sum.cents() <= limits::TOTAL_CENTS).then_some(sum)
}
