"""The words by which customers say what they want: English, German, some French and Spanish; no accents."""

from agents.words import Words

REFUND = Words(
    "refund refunds reimbursement erstattung ruckerstattung erstatten remboursement rembourser reembolso"
    " reembolsar",
    verbs="refund reimburse",
)
MONEY = Words("money cash geld payment price sum argent dinero")
BACK = Words("back zuruck zurueck retour")
RETURN = Words(
    "return returns retoure ruckgabe zuruckgeben zuruckschicken zurucksenden retourner renvoyer"
    " devolver devolucion",
    verbs="return",
)
KEEP = Words("keep keeping behalten garder quedarme")
HAND = Words("send give bring ship take post hand sending giving bringing taking sent schicken geben")
ANSWER = Words("call calls email emails mail mails message messages")
CANCEL = Words(
    "cancellation cancelation storno stornieren stornierung widerrufen abbestellen annulation annuler"
    " cancelar anular",
    verbs="cancel annul revoke withdraw",
)
STOP = Words("stop halt undo stoppen")
FAULTY = Words(
    "broken broke damaged cracked defective defect faulty shattered snapped torn scratched scratch"
    " dented dent crack chipped bent leaking leaks ruined smashed kaputt defekt beschadigt zerbrochen"
    " gebrochen gerissen scherben malfunctioning malfunctions unusable dead casse cassee abime endommage"
    " defectueux danado danada defectuoso"
)
WRONG = Words("wrong incorrect falsch falsche falschen falscher falsches")
OTHER_ONE = Words("different another instead anderen anderes statt")
OF = Words("of")
GOODS = Words("item items product article colour color size model thing one artikel ware order parcel")
GOT = Words("sent received got delivered came arrived contained contains erhalten bekommen geliefert")
STOPPED = Words("stopped stops")
ORDERED = Words("orderd bestellt", verbs="order")
WORK = Words(
    "work works working function functions charge charges start starts heat heats run runs switch switches"
    " funktioniert geht"
)
DIGITAL = Words("page website site link app login chat tracking portal shop hotline")
EXCHANGE = Words(
    "exchange umtausch umtauschen tauschen replacement echanger cambiar", verbs="exchange swap replace"
)
ARRIVE = Words(
    "here came come coming show showed shown appear appeared turn turned delivered seen got moved moves there"
    " reached reach angekommen da erhalten bekommen arrivee recu recue llegado recibido",
    verbs="arrive receive move",
)
GONE = Words(
    "lost vanished disappeared nowhere stuck stranded verloren verschwunden verschollen perdu perdido"
)
STILL = Words("standing stands still hangs hanging")
STANDS = Words("tracking waiting parcel package paket")
ASKS = Words("where when wo wann ou quand donde cuando")
HOW = Words("how wie")
LONG = Words("long soon far lange")
ASKED = Words("wheres whens whereabouts")
BE = Words(
    "is are was were has have had do does did will can should would exactly ist sind bleibt"
    " est sont esta estan"
)
TELL = Words("tell know find wonder wondered wondering sagen please bitte")
LOOK = Words("status track tracking eta update news progress happening happened dispatch sendungsverfolgung")
WAIT = Words("check wonder wondered wondering waiting waited wait warte expect expected heard hear")
WHAT = Words("what whats was")
GOING = Words("going passiert los")
MOVES = Words(
    "left leave leaves dispatched ship shipped sent delivered delivery arrive arrives arrived arriving"
    " come coming way unterwegs"
)
PARCEL = Words(
    "order orders parcel parcels package packages packet delivery shipment stuff goods bestellung paket"
    " lieferung sendung commande colis livraison pedido paquete envio"
)
THING = PARCEL | Words("item items things mine my our it they them mein meine")
OTHER = Words(
    "invoice invoices receipt rechnung voucher vouchers coupon discount newsletter job jobs cv"
    " application apply position vacancy internship praktikum bewerbung stock brochure catalogue manual"
    " spare gutschein"
)
ADDRESS = Words("address adresse anschrift")
CHANGE = Words("update correct adjust andern", verbs="change move")
DESIRE = Words("want wants need needs like asking ask looking wanted after will mochte brauche")
TWICE = Words("twice double doppelt zweimal")
CHARGED = Words("charged charge billed debited paid payment abgebucht berechnet")
DIFFERENCE = Words("difference overcharged differenz")
THANKS = Words("thank thanks danke")
FOR = Words("for fur")
MINE = Words("my our mein meine meiner ma mon mi")
NOT_THAT = Words("no without instead rather kein keine keinen ohne not")
IN = Words("in")
PIECES = Words("pieces bits stucke")
ABSENT = Words("missing fehlt fehlen")
PARTS = Words("part parts piece pieces screw screws lid cable accessory accessories teil teile")
