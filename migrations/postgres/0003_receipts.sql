-- Receipts are pruned by age.
CREATE INDEX upload_received ON upload (received_at);
