"""RQ workers: rules, timers that fell due, mails, housekeeping. The only room that knows RQ."""
