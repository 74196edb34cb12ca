#!/usr/bin/env python3
"""Tests of count.py over made-up folders."""

import random
import subprocess
import sys
import tempfile
import unittest
from itertools import permutations
from pathlib import Path

import count

SCRIPT = Path(__file__).resolve().parent / "count.py"
SHOP = """
//! Declares and re-exports its children, which is no arrow.
mod goods; mod prices; mod sales;
pub use goods::{Good, Kind as Sort};
pub struct Shop { stock: Vec<Good>, till: prices::Till }
"""


class Arrows(unittest.TestCase):
    def folder(self, **files):
        """A library of these files below `shop/`; `mod_` is `mod.rs`."""
        root = tempfile.TemporaryDirectory()
        self.addCleanup(root.cleanup)
        shop = Path(root.name) / "src" / "shop"
        shop.mkdir(parents=True)
        (shop.parent / "lib.rs").write_text("mod shop; pub use shop::Good; pub fn outside() {}")
        for name, text in files.items():
            path = shop / (name.rstrip("_").replace("__", "/") + ".rs")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return shop

    def arrows(self, **files):
        drawing = count.draw(self.folder(**files))
        return {
            f"{begin[:-3]} {end[:-3]}": names for (begin, end), names in drawing.arrows.items()
        }

    def test_a_glob_of_another_crate_hides_nothing_and_ends(self):
        found = self.arrows(
            mod_=SHOP,
            goods="pub use other::goods::*; pub struct Good; pub enum Kind { A }",
            prices="use super::goods::Unknown; use super::Good; pub struct Till;",
            sales="",
        )
        self.assertEqual(found["prices goods"], {"Good"})

    def test_a_name_is_an_arrow_to_the_file_that_defines_it(self):
        found = self.arrows(
            mod_=SHOP,
            goods="pub struct Good; pub enum Kind { A }",
            prices="use super::Good; use crate::shop::sales::{self, Sale as S}; pub struct Till;",
            sales="use crate::outside; fn f(g: crate::Good) { super::prices::Till; outside() }"
            "pub struct Sale;",
        )
        self.assertEqual(
            found,
            {
                "mod goods": {"Good"},
                "mod prices": {"Till"},
                "prices goods": {"Good"},
                "prices sales": {"Sale"},
                "sales goods": {"Good"},
                "sales prices": {"Till"},
            },
        )

    def test_declaring_and_reexporting_children_is_no_arrow_and_using_their_parent_is_one(self):
        found = self.arrows(
            mod_="mod a; pub(crate) use a::A; pub mod all { pub use super::a::A; } pub struct Top;",
            a="use super::Top; pub struct A(Top);",
        )
        self.assertEqual(found, {"a mod": {"Top"}})

    def test_what_a_glob_brings_in_counts_where_it_is_named(self):
        found = self.arrows(
            mod_="mod a; mod b;", a="pub struct A;", b="use super::a::*; fn f(_: A) {}"
        )
        self.assertEqual(found, {"b a": {"A"}})

    def test_a_method_is_an_arrow_to_the_file_whose_impl_block_has_it(self):
        found = self.arrows(
            mod_="mod open; mod sell; mod till; use till::Till;"
            "pub struct Shop { cash: Till } impl Shop { fn run(&mut self) { self.open(); } }",
            open="impl super::Shop { pub fn open(&mut self) { Self::sell(self); } }",
            sell="impl crate::shop::Shop { pub fn sell(&mut self) { self.cash.put(1); } }"
            "fn late(shop: &mut Unknown) { shop.open(); }"
            "fn again(thing: &mut Unknown, count: u8) { thing.open(); count.put(); }",
            till="pub struct Till; impl Till { pub fn put(&self, n: u8) { f(|| self.put(n)) } }"
            "fn owner(shop: &super::Shop) { shop.sell(); } fn no_type(shop: i32) { sold.open() }",
        )
        self.assertEqual(
            found,
            {
                "mod open": {"Shop::open"},
                "mod till": {"Till"},
                "open mod": {"Shop"},
                "open sell": {"Shop::sell"},
                "sell mod": {"Shop"},
                "sell till": {"Till::put"},
                "till mod": {"Shop"},
                "till sell": {"Shop::sell"},
            },
        )

    def test_a_receiver_without_a_written_type_has_that_of_its_name(self):
        found = self.arrows(
            mod_="mod till; mod sell;",
            till="pub struct CashTill; impl CashTill { pub fn put(&self) {} }",
            sell="fn f(all: X) { for cash_till in all { cash_till.put(); } }"
            "fn g(all: X) { all.put() }",
        )
        self.assertEqual(found, {"sell till": {"CashTill::put"}})

    def test_tests_comments_and_literals_do_not_count(self):
        found = self.arrows(
            mod_="mod a; mod b; #[cfg(test)] mod support; mod tests;",
            a="pub struct A; pub fn a() {}",
            b="// super::a::A\n/* super::a::A /* nested */ super::a::A */ "
            "const T: &str = \"super::a::A\"; const R: &str = r#\"\" super::a::A \"#; "
            "const C: [char; 3] = ['\"', '\\'', '\\u{41}']; fn f<'a>(_: &'a str) {} "
            "#[cfg(test)] use super::a::A; #[cfg(test)] const ONE: [A; 1] = { [A] };"
            "struct S { #[cfg(test)] a: super::a::A, b: u8 }"
            "#[cfg(test)] mod tests { use super::super::a::A; fn t() { a::a() } }",
            support="use super::a::A;",
            tests="use super::a::A;",
            b__tests="use super::super::a::A;",
        )
        self.assertEqual(found, {})

    def test_without_the_cfg_the_same_code_counts(self):
        found = self.arrows(
            mod_="mod a; mod b; #[cfg(not(test))] mod support;",
            a="pub struct A;",
            b="#[cfg(not(test))] use super::a::A; struct S { a: super::a::A }",
            support="fn f() { use super::a::A; }",
        )
        self.assertEqual(found, {"b a": {"A"}, "support a": {"A"}})

    def test_a_circle_is_found_with_its_files_and_the_fewest_arrows_back_up(self):
        drawing = count.draw(
            self.folder(
                mod_="mod a; mod b; mod c; mod d;",
                a="use super::b::B; use super::c::C; pub struct A;",
                b="use super::c::C; pub struct B;",
                c="use super::a::A; use super::d::D; pub struct C;",
                d="pub struct D;",
            )
        )
        self.assertEqual(drawing.circles, [["a.rs", "b.rs", "c.rs"]])
        self.assertEqual(drawing.back_up, [("c.rs", "a.rs")])

    def test_the_orders_are_the_best_there_is_and_nearly(self):
        chance = random.Random(1)
        exact_sum = good_sum = 0
        for _ in range(40):
            out = [chance.getrandbits(6) & ~(1 << file) for file in range(6)]
            fewest = min(back_up(out, order) for order in permutations(range(6)))
            self.assertEqual(back_up(out, count.exact_order(out)), fewest)
            self.assertEqual(sorted(count.good_order(out)), list(range(6)))
            exact_sum += fewest
            good_sum += back_up(out, count.good_order(out))
        self.assertLess(good_sum, exact_sum * 1.1)

    def test_the_check_fails_with_a_sentence_for_a_circle_only(self):
        circle = self.folder(
            mod_="mod a; mod b;",
            a="use super::b::B; pub struct A;",
            b="use super::a::A; pub struct B;",
        )
        done = run("--check", circle)
        self.assertEqual(done.returncode, 1)
        self.assertIn("3 files, 2 arrows, 1 back up, 1 circle", done.stdout)
        self.assertIn("has files in a circle: a.rs b.rs", done.stderr)
        self.assertIn("back up: b.rs -> a.rs: A", run("--list", circle).stdout)
        self.assertEqual(run(circle).returncode, 0)
        down = self.folder(mod_="mod a; mod b;", a="use super::b::B;", b="pub struct B;")
        self.assertEqual(run("--check", down).returncode, 0)

    def test_a_circle_of_modules_is_shown_and_passes(self):
        folder = self.folder(
            mod_="mod a; mod b;",
            a="mod c; use super::b::B; pub struct A;",
            a__c="pub struct C;",
            b="use super::a::c::C; pub struct B;",
        )
        done = run("--check", folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("0 back up, 0 circles\n  modules in a circle: a b\n", done.stdout)


def back_up(out, order):
    rank = {file: at for at, file in enumerate(order)}
    return sum(out[a] >> b & 1 and rank[a] > rank[b] for a in rank for b in rank)


def run(*args):
    command = [sys.executable, str(SCRIPT), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


if __name__ == "__main__":
    unittest.main()
