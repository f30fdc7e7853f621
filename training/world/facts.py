"""About two hundred facts to recall: capitals of countries and symbols of chemical elements.

A fact cannot be worked out, so its operands cannot be held out: what is held out is each fact's pairing with some
phrasings.
"""

from training.world import draft
from training.world.draft import Draft, Rng

KINDS = draft.load("facts")
_CAPITALS = """
Afghanistan Kabul;Albania Tirana;Algeria Algiers;Angola Luanda;Argentina Buenos Aires;Armenia Yerevan;Australia Canberra
Austria Vienna;Azerbaijan Baku;Bahrain Manama;Bangladesh Dhaka;Barbados Bridgetown;Belarus Minsk;Belgium Brussels
Belize Belmopan;Bahamas Nassau;Benin Porto-Novo;Bhutan Thimphu;Botswana Gaborone;Brazil Brasilia;Bulgaria Sofia
Cambodia Phnom Penh;Cameroon Yaounde
Canada Ottawa;Chad N'Djamena;Chile Santiago;China Beijing;Colombia Bogota;Croatia Zagreb;Cuba Havana;Cyprus Nicosia
Czechia Prague;Denmark Copenhagen;Ecuador Quito;Egypt Cairo;Estonia Tallinn;Ethiopia Addis Ababa;Fiji Suva
Finland Helsinki
France Paris;Gabon Libreville;Georgia Tbilisi;Germany Berlin;Ghana Accra;Greece Athens;Guatemala Guatemala City
Guinea Conakry;Guyana Georgetown;Haiti Port-au-Prince;Honduras Tegucigalpa;Hungary Budapest;Iceland Reykjavik
India New Delhi;Indonesia Jakarta;Iran Tehran;Iraq Baghdad;Ireland Dublin;Israel Jerusalem;Italy Rome;Jamaica Kingston
Japan Tokyo;Jordan Amman;Kazakhstan Astana;Kenya Nairobi;Kuwait Kuwait City;Kyrgyzstan Bishkek;Laos Vientiane
Latvia Riga
Lebanon Beirut;Liberia Monrovia;Libya Tripoli;Lithuania Vilnius;Luxembourg Luxembourg;Madagascar Antananarivo
Malawi Lilongwe;Malaysia Kuala Lumpur;Mali Bamako;Malta Valletta;Mexico Mexico City;Moldova Chisinau;Monaco Monaco
Mongolia Ulaanbaatar;Montenegro Podgorica;Morocco Rabat;Mozambique Maputo;Myanmar Naypyidaw;Mauritius Port Louis
Namibia Windhoek;Nepal Kathmandu
Netherlands Amsterdam;Nicaragua Managua;Niger Niamey;Nigeria Abuja;Norway Oslo;Oman Muscat;Pakistan Islamabad
Panama Panama City;Paraguay Asuncion;Peru Lima;Philippines Manila;Poland Warsaw;Portugal Lisbon;Qatar Doha
Romania Bucharest
Russia Moscow;Rwanda Kigali;Senegal Dakar;Serbia Belgrade;Singapore Singapore;Slovakia Bratislava;Slovenia Ljubljana
Somalia Mogadishu;Spain Madrid;Sudan Khartoum;Suriname Paramaribo;Sweden Stockholm;Switzerland Bern;Syria Damascus
Taiwan Taipei;Tajikistan Dushanbe;Tanzania Dodoma;Togo Lome;Thailand Bangkok;Tunisia Tunis;Turkey Ankara
Turkmenistan Ashgabat;Uganda Kampala
Ukraine Kyiv;Uruguay Montevideo;Uzbekistan Tashkent;Venezuela Caracas;Vietnam Hanoi;Yemen Sanaa;Zambia Lusaka
Zimbabwe Harare
"""
_ELEMENTS = """
hydrogen H;helium He;lithium Li;beryllium Be;boron B;carbon C;nitrogen N;oxygen O;fluorine F;neon Ne;sodium Na
magnesium Mg
aluminium Al;silicon Si;phosphorus P;sulfur S;chlorine Cl;argon Ar;potassium K;calcium Ca;scandium Sc;titanium Ti
vanadium V
chromium Cr;manganese Mn;iron Fe;cobalt Co;nickel Ni;copper Cu;zinc Zn;gallium Ga;germanium Ge;arsenic As;selenium Se
bromine Br;krypton Kr;rubidium Rb;strontium Sr;zirconium Zr;molybdenum Mo;palladium Pd;silver Ag;cadmium Cd;tin Sn
antimony Sb
iodine I;xenon Xe;caesium Cs;barium Ba;tungsten W;osmium Os;iridium Ir;platinum Pt;gold Au;mercury Hg;lead Pb;bismuth Bi
radon Rn;radium Ra;thorium Th;uranium U;plutonium Pu
"""


def _pairs(table: str) -> tuple[tuple[str, str], ...]:
    entries = table.strip().replace("\n", ";").split(";")
    return tuple((name, value) for name, _, value in (entry.partition(" ") for entry in entries))


CAPITALS = (
    *_pairs(_CAPITALS),
    ("Costa Rica", "San Jose"),
    ("El Salvador", "San Salvador"),
    ("New Zealand", "Wellington"),
    ("North Korea", "Pyongyang"),
    ("South Korea", "Seoul"),
    ("Saudi Arabia", "Riyadh"),
    ("the United Kingdom", "London"),
    ("the United States", "Washington"),
    ("Scotland", "Edinburgh"),
    ("North Macedonia", "Skopje"),
    ("Bosnia and Herzegovina", "Sarajevo"),
    ("the United Arab Emirates", "Abu Dhabi"),
    ("the Dominican Republic", "Santo Domingo"),
    ("Papua New Guinea", "Port Moresby"),
    ("Sierra Leone", "Freetown"),
    ("Burkina Faso", "Ouagadougou"),
    ("Ivory Coast", "Yamoussoukro"),
)
CITIES = [city for _, city in CAPITALS]
ELEMENTS = _pairs(_ELEMENTS)
KNOWN = tuple((country, city) for country, city in CAPITALS if CITIES.count(city) == 1)
LARGE = dict(  # well-known cities that are no capitals
    _pairs("""
Australia Sydney;Brazil Rio de Janeiro;Canada Toronto;China Shanghai;Turkey Istanbul;Switzerland Zurich;Morocco Casablanca
Nigeria Lagos;Pakistan Karachi;India Mumbai;Germany Munich;Italy Milan;Spain Barcelona;Vietnam Ho Chi Minh City
Kazakhstan Almaty;Myanmar Yangon;Tanzania Dar es Salaam;Israel Tel Aviv;Ecuador Guayaquil;Japan Osaka;France Lyon
Netherlands Rotterdam;Russia Saint Petersburg;Belgium Antwerp;Poland Krakow;Portugal Porto;Egypt Alexandria;Syria Aleppo
""")
) | {"New Zealand": "Auckland", "the United States": "New York", "Scotland": "Glasgow", "Ivory Coast": "Abidjan"}
NEW_SHARE = 0.3


def facts(rng: Rng) -> Draft:
    if rng.random() < NEW_SHARE:
        return _is_so(rng) if rng.random() < 0.65 else _analogy(rng)
    kind = rng.random()
    if kind < 0.6:
        country, city = rng.choice(CAPITALS)
        if kind < 0.12 and CITIES.count(city) == 1:
            return Draft((), KINDS["country_of"], country, (f"country: {city}",), {"city": city})
        return Draft((), KINDS["capital_of"], city, (f"capital: {country}",), {"country": country})
    element, symbol = rng.choice(ELEMENTS)
    if kind < 0.85:
        return Draft((), KINDS["symbol_of"], symbol, (f"symbol: {element}",), {"element": element})
    return Draft((), KINDS["element_of"], element, (f"symbol: {symbol}",), {"symbol": symbol})


def _is_so(rng: Rng) -> Draft:
    """Whether a capital or a symbol is the right one: what is true comes first, then what was asked."""
    capital, yes = rng.random() < 0.6, rng.random() < 0.5
    table, name, one, other = (
        (CAPITALS, "capital", "country", "city") if capital else (ELEMENTS, "symbol", "element", "symbol")
    )
    key, value = rng.choice(table)
    others = [each for _, each in table if each != value]
    alike = [each for each in others if each[0] == value[0]]
    asked = value if yes else rng.choice(alike if alike and rng.random() < 0.3 else others)
    if capital and not yes and key in LARGE and rng.random() < 0.5:
        asked = LARGE[key]
    steps = (f"{name}: {key}={value}", f"{value}{'=' if yes else '/'}{asked}")
    return Draft((), KINDS[f"is_{name}"], "yes" if yes else "no", steps, {one: key, other: asked})


def _analogy(rng: Rng) -> Draft:
    """What is to one as another is to a third: asked like the plain fact, with one more fact to look away from."""
    capital, back = rng.random() < 0.6, rng.random() < 0.35
    table, name, one, other = (
        (KNOWN, "capital", "country", "city") if capital else (ELEMENTS, "symbol", "element", "symbol")
    )
    (key, value), (key2, value2) = rng.sample(table, 2)
    slots = {one: key, other: value, f"{one}2": key2, f"{other}2": value2}
    if not back:
        return Draft((), KINDS[f"analogy_{name}"], value, (f"{name}: {key}",), slots)
    return Draft((), KINDS[f"analogy_{one}"], key, (f"{'country' if capital else 'symbol'}: {value}",), slots)
