-- Names of zones are decisions: the label of the facts is the zone, and the decision is the name.
ALTER TABLE change_set DROP CONSTRAINT change_set_action_check;
ALTER TABLE change_set ADD CONSTRAINT change_set_action_check
    CHECK (action IN ('edit', 'delete', 'merge', 'split', 'import', 'forget', 'undo', 'zone'));

ALTER TABLE alteration DROP CONSTRAINT alteration_kind_check;
ALTER TABLE alteration ADD CONSTRAINT alteration_kind_check
    CHECK (kind IN ('property', 'deletion', 'merge', 'split', 'managed', 'zone'));

ALTER TABLE decision DROP CONSTRAINT decision_kind_check;
ALTER TABLE decision ADD CONSTRAINT decision_kind_check
    CHECK (kind IN ('property', 'deletion', 'merge', 'split', 'managed', 'zone'));
