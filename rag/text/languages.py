"""The languages whose words become stems: their stop words, by which a text also shows its language, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """How the words of a language become terms.

    `stop_words` are closed classes (articles, pronouns, prepositions, conjunctions, auxiliaries), which also tell the
    language; `links` are the letters that may join the parts of a compound, none where compounds are written apart;
    `letters` keep their diacritics, without which they would be other letters: Swedish `får` is not `far`; and `digraphs`
    says whether those who have no key for them write two letters instead, as in `Aarhus` and `fuer`.
    """

    stemmer: str
    stop_words: frozenset[str] = frozenset()
    links: tuple[str, ...] = ()
    letters: str = ""
    digraphs: bool = False


def words_of(text: str) -> frozenset[str]:
    """The words between the spaces."""
    return frozenset(text.split())


# The stop words are our own choice from the grammars: no content words, and none that is rare.
LANGUAGES = {
    "en": Language(
        "english",
        words_of(
            "a about after again against all am an and any are as at be because been before being between both but by "
            "can could d did do does doing down during each few for from further had has have having he her here hers "
            "herself him himself his how i if in into is it its itself just ll m me more most my myself no nor not now "
            "of off on once only or other our ours out over own re s same she should so some such t than that the "
            "their theirs them themselves then there these they this those through to too under until up ve very was "
            "we were what when where which while who whom whose why will with would you your yours yourself"
        ),
    ),
    "de": Language(
        "german",
        words_of(
            "aber alle allem allen aller alles als also am an andere anderem anderen anderer anderes auch auf aus bei "
            "beim bin bis bist da damit dann das dass dein deine deinem deinen deiner dem den denn der des dich die "
            "dies diese diesem diesen dieser dieses dir doch dort du durch ein eine einem einen einer eines er es "
            "etwas euch euer für gegen habe haben hat hatte hatten hier hinter ich ihm ihn ihnen ihr ihre ihrem ihren "
            "ihrer ihres im in indem ins ist ja jede jedem jeden jeder jedes jene jenem jenen jener kann kein keine "
            "keinem keinen keiner können könnte man mein meine meinem meinen meiner mich mir mit muss müssen nach "
            "nicht noch nun nur ob oder ohne sehr sein seine seinem seinen seiner seines selbst sich sie sind so soll "
            "sollte sondern sonst über um und uns unser unsere unter viel vom von vor während war waren warum was weil "
            "welche welchem welchen welcher welches wenn wer werde werden wie wieder will wir wird wo wollen wurde "
            "wurden würde würden zu zum zur zwar zwischen"
        ),
        links=("", "s", "es", "n", "en", "er", "e"),
        digraphs=True,
    ),
    "fr": Language(
        "french",
        words_of(
            "a ai aie ainsi après au aucun aussi autre autres aux avait avant avec avoir c ce ceci cela celle celles "
            "celui ces cet cette ceux chaque chez ci comme comment d dans de depuis des donc dont du elle elles en "
            "encore entre est et étaient était étant être eu eux fut il ils j je l la le les leur leurs lors lui m ma "
            "mais me même mes moi mon n ne ni nos notre nous on ont ou où par parce pas peut plus pour pourquoi qu "
            "quand que quel quelle quelles quels qui quoi s sa sans se selon sera ses si soit son sont sous sur t ta "
            "tandis te tes toi ton tous tout toute toutes très tu un une vers vos votre vous y"
        ),
    ),
    "es": Language(
        "spanish",
        words_of(
            "a al algo algunas algunos ante antes aquel aquella aquello así aún aunque cada como cómo con contra cual "
            "cuál cuáles cuando cuándo cuánto cuántos de del desde donde dónde dos durante e él el ella ellas ellos en "
            "entre era eran es esa esas ese eso esos esta está estaba están estas este esto estos fue fueron ha había "
            "han hasta hay la las le les lo los más me mi mis mucho muy nada ni no nos nosotros o os otra otras otro "
            "otros para pero poco por porque que qué quien quién quienes se sea ser si sí sido sin sobre son su sus "
            "también tanto te tiene tienen todo todos tu tus un una unas uno unos y ya yo"
        ),
    ),
    "it": Language(
        "italian",
        words_of(
            "a abbiamo ad ai al alla alle allo altre altri altro anche ancora avere aveva c che chi ci ciò col come con "
            "contro cui da dai dal dalla dalle dallo degli dei del della delle dello di dopo dove e è ed era erano essa "
            "essere essi esso fra fu furono già gli ha hanno ho i il in io l la le lei lo loro lui ma mai me mentre mi "
            "mia mio molto ne negli nei nel nella nelle nello no noi non nostro o ogni per perché perciò più poi può "
            "qual quale quali quando quanti quanto quel quella quelle quelli quello questa queste questi questo qui se "
            "si sia sono sopra sotto sta stata stati stato su sua sue sugli sui sul sulla suo suoi tra tu tuo tutte "
            "tutti tutto un una uno vi voi"
        ),
    ),
    "nl": Language(
        "dutch",
        words_of(
            "aan al alle als altijd andere ben bij daar dan dat de der deze die dit doch doen door dus een eens en er "
            "ge geen geweest haar had hadden heb hebben heeft hem het hier hij hoe hoeveel hun iemand iets ik in is ja "
            "je kan kon kunnen maar me meer men met mij mijn moet moeten na naar niet niets nog nu of om omdat onder "
            "ons ook op over reeds te tegen toch toen tot tussen u uit uw van veel voor waar waarom wanneer want waren "
            "was wat welk welke werd werden wie wij wil worden wordt zal ze zelf zich zij zijn zo zonder zou"
        ),
        links=("", "s", "e", "en", "n", "er"),
    ),
    "pt": Language(
        "portuguese",
        words_of(
            "a à ao aos aquela aquele aqueles aquilo as às até cada com como contra da das de dela dele deles depois "
            "do dos e é ela elas ele eles em entre era eram essa essas esse esses esta está estão estas estava este "
            "estes eu foi foram há isso isto já lhe lhes mais mas me mesmo meu minha muito na não nas nem no nos nós "
            "nossa nosso num numa o onde os ou outra outras outro outros para pela pelas pelo pelos pode por porque "
            "quais qual quando quanto quantos que quem são se seja sem ser será seu seus si sido sob sobre sua suas "
            "também te tem têm tinha toda todas todo todos tu tua um uma umas uns você vocês"
        ),
    ),
    "sv": Language(
        "swedish",
        words_of(
            "alla allt att av bara blev bli blir både de dem den denna deras dess dessa det detta dig din dina ditt du "
            "där då efter eller en er ett från för genom ha hade han hans har henne hennes hon honom hur här i icke "
            "ingen inom inte jag ju kan kunde man med mellan men mig min mina mitt mot mycket många måste ni nu när "
            "någon något några och om oss på samma sedan sig sin sina sitt ska skulle som så sådan till under upp ut "
            "utan vad var vara varför varit vem vi vid vilka vilken vilket åt än är även över"
        ),
        links=("", "s", "e", "a", "o", "u"),
        letters="åäö",
        digraphs=True,
    ),
    "da": Language(
        "danish",
        words_of(
            "ad af alle alt anden at blev blive bliver da de dem den denne der deres det dette dig din disse dog du "
            "efter eller en end er et for fra før gennem ham han hans har havde have hende hendes her hos hun hvad "
            "hvem hver hvilke hvilken hvilket hvis hvor hvordan hvorfor hvornår i ikke ind ingen jeg jer jo kan kun "
            "kunne man mange med meget mellem men mig min mine mit mod ned nogen noget nogle nu når og også om op os "
            "over på selv sig sin sine sit skal skulle som sådan thi til ud under var ved vi vil ville vor være været"
        ),
        links=("", "s", "e", "er"),
        letters="åæø",
        digraphs=True,
    ),
    "no": Language(
        "norwegian",
        words_of(
            "alle alt andre at av bare begge ble bli blir både da de deg dem den denne der deres det dette di din "
            "disse du då eller en enn er et etter for fordi fra før gjennom ha hadde han hans har henne hennes her hos "
            "hun hva hvem hver hvilke hvilken hvilket hvis hvor hvordan hvorfor i ikke ingen inn jeg kan kunne man "
            "mange med meg mellom men mer min mine mitt mot mye må ned noe noen nå når og også om opp oss over på seg "
            "selv sin sine sitt skal skulle slik som så til under ut uten var ved vi vil ville vår være vært"
        ),
        links=("", "s", "e"),
        letters="åæø",
        digraphs=True,
    ),
    "fi": Language(
        "finnish",
        words_of(
            "ei eivät eli ennen että he heidän heille hän häneen hänelle hänen ilman itse ja jo joiden joissa joita "
            "jonka jos joss jossa josta jota joten jotka kaikki kanssa kuin kuinka kuka kun me meidän mihin mikä miksi "
            "milloin missä mistä mitkä mitä mukaan mutta muun myös ne niiden niin niitä noin nyt näiden nämä olen oli "
            "olivat olla olleet ollut on ovat se sekä sen siinä siitä silloin sillä sitä sitten tai te tuo tämä tämän "
            "tässä tästä tätä vaan vai vain vielä voi voidaan yli"
        ),
        links=("", "n"),
        letters="åäö",
        digraphs=True,
    ),
    "ru": Language(
        "russian",
        words_of(
            "а без был была были было быть в вам вас во вот все всех всего вы где да даже для до его ее ей ему если "
            "есть еще же за здесь и из или им их к как какая какие какой каком когда который которая которые которых "
            "кто ли между меня мне много может можно мой мы на над нас не него нее ней нет ни них но ну о об однако он "
            "она они оно от по под после почему при про с сам своей своих себя сколько со так также такой там то того "
            "тоже только том ту ты у уже чего чем через что чтобы чье эта эти это этого этой этом этот я"
        ),
        letters="й",
    ),
    # Told by their script; no list of stop words.
    "el": Language("greek"),
    "ar": Language("arabic"),
    "hi": Language("hindi"),
}
UNKNOWN = ""  # neither stop words nor stemming
# Of a text that shows no language, in a store that holds none as yet: its words get the forms of every language.
MULTIPLE = "mul"  # ISO 639-2
SCRIPTS = {"GREEK": "el", "ARABIC": "ar", "DEVANAGARI": "hi"}
