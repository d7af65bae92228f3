-- What a running attempt was measured to have spent so far; NULL where nobody measures.

ALTER TABLE job ADD COLUMN spent REAL CHECK (spent >= 0 AND spent < 1e300);

-- Costs are counted in other units from now on: one of the old ones is 3.06 of the new, and members
-- keep the shares that they had of each other.
UPDATE job SET cost = 3.06 * cost, charged = 3.06 * charged, ahead = 3.06 * ahead;
UPDATE member SET vtime = 3.06 * vtime;
UPDATE fair_clock SET vtime = 3.06 * vtime;
