"""RQ workers: timers that fell due, notifications by mail, housekeeping. The only room that knows RQ."""
