//! Every invariant as a claim and two queries: what it speaks of, and what breaks it.

use rusqlite::Connection;

use super::Finding;

/// Violations that are named, not only counted.
const EXAMPLES: usize = 3;

/// What an invariant is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The database alone.
    Database,
    /// The provider's ledger too.
    Ledger,
    /// The answers that clients got too.
    Accepted,
}

/// Something that must hold once the pipeline has run empty.
#[derive(Debug, PartialEq, Eq)]
pub struct Invariant {
    /// Its name.
    pub name: &'static str,
    /// What it claims.
    pub claim: &'static str,
    /// What it takes to check it.
    pub needs: Needs,
    /// Counts what it speaks of.
    all: &'static str,
    /// Lists what breaks it, by number or name.
    violations: &'static str,
}

impl Invariant {
    pub(super) fn check(&'static self, connection: &Connection) -> rusqlite::Result<Finding> {
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get(0));
        let violations = self.violations;
        let some = format!("WITH found (it) AS ({violations}) SELECT CAST(it AS TEXT) FROM found LIMIT {EXAMPLES}");
        let mut some = connection.prepare(&some)?;
        let examples = some.query_map([], |row| row.get(0))?;
        Ok(Finding {
            invariant: self,
            checked: number(self.all)?,
            violations: number(&format!("SELECT count(*) FROM ({violations})"))?,
            examples: examples.collect::<Result<_, _>>()?,
        })
    }
}

const ORDERS: &str = "SELECT count(*) FROM orders";
const PAYMENTS: &str = "SELECT count(*) FROM payments";
const EVENTS: &str = "SELECT count(*) FROM outbox";
const CHARGES: &str = "SELECT count(*) FROM temp.ledger";
const ANSWERS: &str = "SELECT count(*) FROM temp.accepted";

/// All of them.
pub const INVARIANTS: &[Invariant] = &[
    Invariant {
        name: "accepted-present",
        claim: "every order a client was told is accepted is there, under the client's key",
        needs: Needs::Accepted,
        all: ANSWERS,
        violations: "SELECT a.order_id FROM temp.accepted a
            LEFT JOIN orders o ON o.id = a.order_id
            WHERE o.id IS NULL OR (a.key IS NOT NULL AND o.key IS NOT a.key)",
    },
    Invariant {
        name: "one-key",
        claim: "no two orders have the same idempotency key, and the index of the keys is right",
        needs: Needs::Database,
        all: ORDERS,
        violations: "SELECT max(id) FROM orders GROUP BY key HAVING count(*) > 1
            UNION ALL SELECT i.order_id FROM idempotency i LEFT JOIN orders o ON o.id = i.order_id
            WHERE o.key IS NOT i.key
            UNION ALL SELECT o.id FROM orders o LEFT JOIN idempotency i ON i.key = o.key
            WHERE i.key IS NULL AND o.id < (SELECT ifnull(keys_below, o.id + 1) FROM marks)",
    },
    Invariant {
        name: "total",
        claim: "every order costs the sum of its lines",
        needs: Needs::Database,
        all: ORDERS,
        violations: "SELECT id FROM orders WHERE total_cents IS NOT
            (SELECT sum((value ->> 1) * (value ->> 2)) FROM json_each(lines))",
    },
    Invariant {
        name: "stock",
        claim: "what was there less what was sold is what is left, and that is not less than nothing",
        needs: Needs::Database,
        all: "SELECT count(*) FROM stock",
        violations: "SELECT s.product FROM stock s JOIN shelf ON shelf.product = s.product LEFT JOIN (
                SELECT product, sum(quantity) AS sold FROM order_lines l
                LEFT JOIN payments p ON p.order_id = l.order_id
                WHERE p.declined IS NULL GROUP BY product
            ) sales ON sales.product = s.product
            WHERE s.initial - ifnull(sold, 0) <> shelf.available OR shelf.available < 0",
    },
    Invariant {
        name: "payment",
        claim: "every payment is of its order's amount, and either charged or declined",
        needs: Needs::Database,
        all: PAYMENTS,
        violations: "SELECT p.order_id FROM payments p LEFT JOIN orders o ON o.id = p.order_id
            WHERE o.total_cents IS NOT p.amount_cents OR (p.receipt IS NULL) = (p.declined IS NULL)",
    },
    Invariant {
        name: "charged-once",
        claim: "no order was charged twice",
        needs: Needs::Ledger,
        all: CHARGES,
        violations: "SELECT order_id FROM temp.ledger GROUP BY order_id HAVING count(*) > 1",
    },
    Invariant {
        name: "charge-known",
        claim: "every charge is of an order that is paid with that receipt and amount",
        needs: Needs::Ledger,
        all: CHARGES,
        violations: "SELECT c.order_id FROM temp.ledger c
            LEFT JOIN payments p ON p.order_id = c.order_id
            WHERE p.receipt IS NOT c.receipt OR p.amount_cents IS NOT c.amount_cents",
    },
    Invariant {
        name: "payment-charged",
        claim: "every paid order was charged",
        needs: Needs::Ledger,
        all: "SELECT count(receipt) FROM payments",
        violations: "SELECT p.order_id FROM payments p
            LEFT JOIN temp.ledger c ON c.order_id = p.order_id
            WHERE p.receipt IS NOT NULL AND c.receipt IS NULL",
    },
    Invariant {
        name: "money",
        claim: "the sum of the charges is the sum of the paid orders",
        needs: Needs::Ledger,
        all: CHARGES,
        violations: "SELECT charged - paid FROM
            (SELECT ifnull(sum(amount_cents), 0) AS charged FROM temp.ledger),
            (SELECT ifnull(sum(total_cents), 0) AS paid FROM orders
             JOIN payments ON order_id = id WHERE receipt IS NOT NULL)
            WHERE charged <> paid",
    },
    Invariant {
        name: "terminal",
        claim: "every order is paid and delivered or cancelled, and its customer knows",
        needs: Needs::Database,
        all: ORDERS,
        violations: "SELECT o.id FROM orders o
            LEFT JOIN payments p ON p.order_id = o.id
            LEFT JOIN deliveries d ON d.order_id = o.id
            LEFT JOIN outbox e ON e.order_id = o.id AND e.kind IN (2, 3)
            LEFT JOIN notifications n ON n.event = e.seq
            WHERE p.order_id IS NULL OR n.event IS NULL
               OR (p.receipt IS NULL) <> (d.order_id IS NULL)",
    },
    Invariant {
        name: "events",
        claim: "every order was accepted once, then paid or cancelled once, in this order",
        needs: Needs::Database,
        all: EVENTS,
        violations: "SELECT o.id FROM orders o
            LEFT JOIN payments p ON p.order_id = o.id
            LEFT JOIN outbox e ON e.order_id = o.id
            GROUP BY o.id HAVING sum(e.kind = 1) IS NOT 1
               OR total(e.kind = 2) <> (p.receipt IS NOT NULL)
               OR total(e.kind = 3) <> (p.declined IS NOT NULL)
               OR min(e.seq) IS NOT min(CASE WHEN e.kind = 1 THEN e.seq END)
               OR max(e.amount_cents) IS NOT o.total_cents",
    },
    Invariant {
        name: "no-orphans",
        claim: "no event, payment, delivery or notification is of an unknown order",
        needs: Needs::Database,
        all: EVENTS,
        violations: "SELECT order_id FROM (
                SELECT order_id FROM outbox
                UNION SELECT order_id FROM payments UNION SELECT order_id FROM deliveries
                UNION SELECT order_id FROM notifications)
            WHERE order_id NOT IN (SELECT id FROM orders)",
    },
    Invariant {
        name: "effects",
        claim: "every delivery and notification is the effect of one event of its kind and order",
        needs: Needs::Database,
        all: "SELECT (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM notifications)",
        violations: "SELECT d.event FROM deliveries d LEFT JOIN outbox e ON e.seq = d.event
            WHERE e.kind IS NOT 2 OR e.order_id IS NOT d.order_id
            UNION ALL SELECT event FROM deliveries GROUP BY event HAVING count(*) > 1
            UNION ALL SELECT n.event FROM notifications n LEFT JOIN outbox e ON e.seq = n.event
            WHERE e.kind NOT IN (2, 3) OR e.kind IS NOT n.kind OR e.order_id IS NOT n.order_id",
    },
];
