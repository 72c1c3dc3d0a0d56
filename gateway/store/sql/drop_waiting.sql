-- All of the questions about a key that may still be answered; what an answer has led to stays.
DELETE FROM plans
WHERE planner = ? AND key = ?
  AND event_id IN (
    SELECT asked.event_id FROM plans AS asked
    WHERE asked.planner = ? AND asked.key = ? AND asked.for_answer IS NOT NULL
  )
