"""`replymeter check`: sends one span and one metric as the application would, says what is wrong.

`run.py` takes the steps, `sending.py` sends, `diagnosis.py` and `probe.py` find the cause,
`verdicts.py` has the words, `models.py` looks at the application's models.
"""
