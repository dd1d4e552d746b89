//! Classification: from evidence to category, type, vendor and model, with reasons.
