"""The words that the rules of the skills draw from."""

ALPHABET = "abcdefghijklmnopqrstuvwxyz"

CAPITALS = (
    ("Austria", "Vienna"),
    ("Belgium", "Brussels"),
    ("Brazil", "Brasilia"),
    ("Bulgaria", "Sofia"),
    ("Canada", "Ottawa"),
    ("Chile", "Santiago"),
    ("China", "Beijing"),
    ("Colombia", "Bogota"),
    ("Croatia", "Zagreb"),
    ("Cuba", "Havana"),
    ("Denmark", "Copenhagen"),
    ("Egypt", "Cairo"),
    ("Estonia", "Tallinn"),
    ("Ethiopia", "Addis Ababa"),
    ("Finland", "Helsinki"),
    ("France", "Paris"),
    ("Germany", "Berlin"),
    ("Ghana", "Accra"),
    ("Greece", "Athens"),
    ("Hungary", "Budapest"),
    ("Iceland", "Reykjavik"),
    ("India", "New Delhi"),
    ("Indonesia", "Jakarta"),
    ("Iraq", "Baghdad"),
    ("Ireland", "Dublin"),
    ("Italy", "Rome"),
    ("Japan", "Tokyo"),
    ("Jordan", "Amman"),
    ("Kenya", "Nairobi"),
    ("Latvia", "Riga"),
    ("Lebanon", "Beirut"),
    ("Morocco", "Rabat"),
    ("Nepal", "Kathmandu"),
    ("Nigeria", "Abuja"),
    ("Norway", "Oslo"),
    ("Peru", "Lima"),
    ("Poland", "Warsaw"),
    ("Portugal", "Lisbon"),
    ("Romania", "Bucharest"),
    ("Senegal", "Dakar"),
    ("Serbia", "Belgrade"),
    ("Slovakia", "Bratislava"),
    ("Slovenia", "Ljubljana"),
    ("Spain", "Madrid"),
    ("Sweden", "Stockholm"),
    ("Thailand", "Bangkok"),
    ("Tunisia", "Tunis"),
    ("Uganda", "Kampala"),
    ("Ukraine", "Kyiv"),
    ("Uruguay", "Montevideo"),
)
"""Fifty countries and their capitals."""

THINGS = (
    "food", "staff", "room", "film", "music", "story", "service", "price",
    "view", "book", "game", "coffee", "hotel", "garden", "phone", "screen",
)  # fmt: skip

POSITIVE = (
    "good", "great", "lovely", "fresh", "friendly", "clean", "charming",
    "excellent", "superb", "pleasant", "delightful", "wonderful",
)  # fmt: skip

NEGATIVE = (
    "bad", "awful", "rude", "dirty", "boring", "poor", "terrible",
    "horrible", "dull", "broken", "dreadful", "disappointing",
)  # fmt: skip

SENTIMENT_FRAMES = (
    ("The {0} was {2} and the {1} was {3}.", False),
    ("We found the {0} {2} and the {1} {3}.", False),
    ("Such a {2} {0}, and a {3} {1}!", False),
    ("The {0} was not {2}, nor was the {1} {3}.", True),
    ("I would never call the {0} {2} or the {1} {3}.", True),
)
"""Sentences of two things and two judgements, and whether they deny them."""
