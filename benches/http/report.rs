//! The table at the end: what was measured, what it should be, and whether it is.

use crate::figures::Spread;

#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<String>,
}

impl Report {
    /// A ratio or figure that must not be more than the goal, in this unit.
    pub(crate) fn at_most(
        &mut self,
        what: &str,
        product: &str,
        measured: Spread,
        goal: f64,
        unit: &str,
    ) {
        let met = measured.median <= goal;
        self.row(
            what,
            product,
            &format!("{measured}{unit}"),
            &format!("≤ {goal}{unit}"),
            met,
        );
    }

    /// The same the other way round.
    pub(crate) fn at_least(&mut self, what: &str, product: &str, measured: Spread, goal: f64) {
        let met = measured.median >= goal;
        self.row(
            what,
            product,
            &measured.to_string(),
            &format!("≥ {goal}"),
            met,
        );
    }

    /// What could not be measured is missed.
    pub(crate) fn missed(&mut self, what: &str, product: &str, why: &str, goal: &str) {
        self.row(what, product, why, goal, false);
    }

    fn row(&mut self, what: &str, product: &str, measured: &str, goal: &str, met: bool) {
        let met = if met { "met" } else { "**missed**" };
        self.rows.push(format!(
            "| {what} | {product} | {measured} | {goal} | {met} |"
        ));
    }

    pub(crate) fn print(&self) {
        println!("\n| what | of | measured: median (least–most) | goal | |");
        println!("|---|---|---|---|---|");
        for row in &self.rows {
            println!("{row}");
        }
    }
}

/// Of what was measured in the same round.
pub(crate) fn ratio(values: &[f64], to: &[f64]) -> Spread {
    Spread::of(values.iter().zip(to).map(|(value, to)| value / to))
}
