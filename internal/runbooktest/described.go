package runbooktest

const Commit1, Commit2 = "3f2c1ab04d5e6f708192a3b4c5d6e7f801234567", "81aa1ab04d5e6f708192a3b4c5d6e7f801234567"
