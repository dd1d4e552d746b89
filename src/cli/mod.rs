//! What both command lines share.

pub(crate) mod manual;
