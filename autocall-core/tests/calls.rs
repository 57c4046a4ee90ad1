//! The Call machine where a table is not enough: what a leg is told and how often, when it is
//! looked up, who is asked, and how one conversation leads to the next.

#[path = "shared/plan.rs"]
mod plan;

mod calls {
    pub(crate) mod story;

    mod ends;
    mod facts;
    mod lines;
    mod offers;
    mod onward;
    mod stops;
}
