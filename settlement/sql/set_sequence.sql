-- Moves a sequence on. As the owner, who may set it.
SELECT setval(%(sequence)s::regclass, nextval(%(sequence)s::regclass) + %(step)s)
