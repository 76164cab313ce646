"""Values made into text: plans, reports and statuses for people (text, Markdown) and for machines (JSON).

Pure: colour and width are passed in, and every text from outside is cleaned here.
"""
