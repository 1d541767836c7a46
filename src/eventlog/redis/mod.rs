//! The log on Redis, shared by every pod. Does not batch or route.
